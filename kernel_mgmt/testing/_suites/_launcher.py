"""What every launcher must do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeAlias

import anyio
import pytest

from kernel_mgmt.abc import KernelLauncherABC, KernelManagerABC
from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import KernelLaunchError
from kernel_mgmt.testing.fake_kernel import fake_kernel_argv

from ._leftovers import KERNEL_ID_VARIABLE, Leftovers
from ._suite import (
    Suite,
    check_cancelled_launches,
    check_nothing_is_left,
    check_that_it_answers,
    client_of,
    end_kernel,
)

MakeLauncher: TypeAlias = Callable[[Sequence[str]], KernelLauncherABC]


class LauncherSuite(Suite):
    """The tests of a launcher; a subclass overrides the fixture :meth:`make_launcher`.

    One that derives from :class:`ManagerSuite` as well tests the managers, too::

        class TestOblongLauncher(LauncherSuite, ManagerSuite):
            @pytest.fixture
            def make_launcher(self):
                return OblongLauncher

    The kernels are fake ones, unless :attr:`kernel_cmd` says otherwise.

    :cvar kernel_cmd: the argv of a kernel that behaves well
    :cvar long_code: what writes a line and then keeps it busy until it is interrupted
    """

    kernel_cmd: ClassVar[Sequence[str]] = fake_kernel_argv()
    code: ClassVar[str] = "print hello"
    long_code: ClassVar[str] = "print begun\nsleep 60"

    @pytest.fixture
    def make_launcher(self) -> MakeLauncher:
        """A function that makes a launcher for an argv, which has the placeholders of a kernelspec."""
        raise NotImplementedError(
            "a subclass of LauncherSuite overrides the fixture 'make_launcher'"
        )

    @pytest.fixture
    async def manager(self, make_launcher: MakeLauncher) -> KernelManagerABC:
        """The manager of a kernel that has just been launched, for a :class:`ManagerSuite`."""
        _, manager = await make_launcher(self.kernel_cmd).launch()
        return manager

    async def test_a_launched_kernel_answers(self, make_launcher: MakeLauncher) -> None:
        with anyio.fail_after(self.seconds):
            connection_info, manager = await make_launcher(self.kernel_cmd).launch()
            async with client_of(connection_info, manager) as client:
                await check_that_it_answers(client, self.code)

    async def test_a_launcher_returns_a_manager_that_knows_how_to_reach_the_kernel(
        self, make_launcher: MakeLauncher
    ) -> None:
        with anyio.fail_after(self.seconds):
            connection_info, manager = await make_launcher(self.kernel_cmd).launch()
            await end_kernel(manager)

        assert isinstance(manager, KernelManagerABC)
        assert manager.connection_info == connection_info

    async def test_each_launch_has_a_kernel_id_and_a_key_of_its_own(
        self, make_launcher: MakeLauncher
    ) -> None:
        with anyio.fail_after(self.seconds):
            first_info, first = await make_launcher(self.kernel_cmd).launch()
            second_info, second = await make_launcher(self.kernel_cmd).launch()
            await end_kernel(first)
            await end_kernel(second)

        assert first.kernel_id != second.kernel_id
        assert first_info.get("key") != second_info.get("key")

    async def test_two_kernels_run_side_by_side(self, make_launcher: MakeLauncher) -> None:
        with anyio.fail_after(self.seconds):
            first = await make_launcher(self.kernel_cmd).launch()
            second = await make_launcher(self.kernel_cmd).launch()
            async with client_of(*second) as second_client:
                async with client_of(*first) as first_client:
                    await check_that_it_answers(first_client, self.code)
                await check_that_it_answers(second_client, self.code)

    async def test_the_environment_of_a_kernel_has_its_id(
        self, make_launcher: MakeLauncher
    ) -> None:
        results: list[str] = []
        with anyio.fail_after(self.seconds):
            connection_info, manager = await make_launcher(fake_kernel_argv()).launch()
            async with client_of(connection_info, manager) as client:
                async for message in client.execute(f"environ {KERNEL_ID_VARIABLE}"):
                    if message.msg_type == "execute_result":
                        results.append(message.content["data"]["text/plain"])

        assert results == [manager.kernel_id]

    async def test_a_program_that_is_not_there_is_told(
        self, make_launcher: MakeLauncher, leftovers: Leftovers
    ) -> None:
        launcher = make_launcher(["no-such-program", "{connection_file}"])
        with anyio.fail_after(self.seconds):
            try:
                _, manager = await launcher.launch()
            except KernelLaunchError:
                pass
            else:  # another program has been started, which fails to start this one
                await manager.wait()
                await end_kernel(manager)
            await check_nothing_is_left(leftovers)

    async def test_a_kernel_that_fails_at_its_start_tells_its_exit_code(
        self, make_launcher: MakeLauncher
    ) -> None:
        with anyio.fail_after(self.seconds):
            _, manager = await make_launcher(fake_kernel_argv("--exit-at-start", "7")).launch()
            await manager.wait()
            status = manager.exit_status
            await end_kernel(manager)

        assert status is not None
        assert status.code in (7, None)

    @pytest.mark.parametrize("switch", ["--leave-child", "--leave-session-child"])
    @pytest.mark.parametrize("end", ["kill", "shutdown"])
    async def test_the_children_of_a_kernel_end_with_it(
        self, make_launcher: MakeLauncher, leftovers: Leftovers, switch: str, end: str
    ) -> None:
        with anyio.fail_after(self.seconds):
            connection_info, manager = await make_launcher(fake_kernel_argv(switch)).launch()
            async with client_of(connection_info, manager) as client:
                await (manager.kill() if end == "kill" else _shut_down(client, manager))
            await check_nothing_is_left(leftovers, manager.kernel_id)

    async def test_a_launch_that_is_cancelled_leaves_nothing(
        self, make_launcher: MakeLauncher, leftovers: Leftovers
    ) -> None:
        with anyio.fail_after(self.seconds):
            await check_cancelled_launches(
                lambda: make_launcher(self.kernel_cmd).launch(), leftovers
            )


async def _shut_down(client: KernelClient, manager: KernelManagerABC) -> None:
    client.shutdown()
    await manager.wait()
