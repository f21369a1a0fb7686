"""What every kernel manager must do."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from typing import ClassVar

import anyio
import anyio.to_thread
import pytest

from kernel_mgmt.abc import KernelManagerABC
from kernel_mgmt.client import KernelClient, Request
from kernel_mgmt.types import ExitStatus

from ._leftovers import Leftovers
from ._suite import Suite, check_nothing_is_left, check_that_it_answers, end_kernel

_STRONGEST_SIGNAL = getattr(signal, "SIGKILL", signal.SIGTERM)
# How long a kernel may take to heed an interrupt before it is sent another (seconds).
_INTERRUPT_MOST = 5.0


class ManagerSuite(Suite):
    """The tests of a kernel manager; a subclass overrides the fixture :meth:`manager`.

    ::

        class TestOblongManager(ManagerSuite):
            @pytest.fixture
            async def manager(self):
                return (await OblongLauncher(["oblong", "{connection_file}"]).launch())[1]

    :cvar long_code: what writes a line to stdout and then is busy until it is interrupted; without
        it nothing is interrupted
    """

    long_code: ClassVar[str] = ""

    @pytest.fixture
    async def manager(self) -> KernelManagerABC:
        """The manager of a kernel that has just been launched; the suite ends it."""
        raise NotImplementedError("a subclass of ManagerSuite overrides the fixture 'manager'")

    @pytest.fixture
    async def running_manager(self, manager: KernelManagerABC) -> AsyncIterator[KernelManagerABC]:
        """The manager of a kernel that is ended after the test, whatever has become of it."""
        yield manager
        with anyio.fail_after(self.seconds):
            await end_kernel(manager)

    @pytest.fixture
    async def client(self, running_manager: KernelManagerABC) -> AsyncIterator[KernelClient]:
        """A client of the kernel, which is ready."""
        async with KernelClient(running_manager.connection_info, running_manager) as client:
            await client.wait_for_ready(self.seconds)
            yield client

    async def test_a_manager_has_a_kernel_id(self, running_manager: KernelManagerABC) -> None:
        assert isinstance(running_manager.kernel_id, str)
        assert running_manager.kernel_id != ""

    async def test_a_manager_knows_how_to_interrupt(
        self, running_manager: KernelManagerABC
    ) -> None:
        assert running_manager.interrupt_mode in ("signal", "message", "unsupported")

    async def test_the_kernel_of_a_manager_answers(self, client: KernelClient) -> None:
        with anyio.fail_after(self.seconds):
            await check_that_it_answers(client, self.code)

    async def test_a_kernel_that_runs_is_alive(
        self, running_manager: KernelManagerABC, client: KernelClient
    ) -> None:
        with anyio.fail_after(self.seconds):
            alive = await running_manager.is_alive()

        assert alive is True
        assert running_manager.exit_status is None

    async def test_kill_ends_the_kernel(self, running_manager: KernelManagerABC) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.kill()
            alive = await running_manager.is_alive()

        assert alive is False
        assert isinstance(running_manager.exit_status, ExitStatus)

    async def test_terminate_ends_the_kernel(
        self, running_manager: KernelManagerABC, client: KernelClient
    ) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.terminate()
            await running_manager.wait()
            alive = await running_manager.is_alive()

        assert alive is False

    async def test_a_signal_reaches_the_kernel(self, running_manager: KernelManagerABC) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.signal(_STRONGEST_SIGNAL)
            await running_manager.wait()
            alive = await running_manager.is_alive()

        assert alive is False

    async def test_wait_returns_false_after_the_end(
        self, running_manager: KernelManagerABC
    ) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.kill()
            waited = [await running_manager.wait() for _ in range(2)]

        assert waited == [False, False]

    async def test_wait_returns_when_the_kernel_ends_by_itself(
        self, running_manager: KernelManagerABC, client: KernelClient
    ) -> None:
        with anyio.fail_after(self.seconds):
            client.shutdown()
            waited = await running_manager.wait()

        assert waited is False
        assert isinstance(running_manager.exit_status, ExitStatus)

    async def test_the_end_is_seen_though_nobody_waits(
        self, running_manager: KernelManagerABC
    ) -> None:
        # A client that has the manager would wait.
        async with KernelClient(running_manager.connection_info) as client:
            with anyio.fail_after(self.seconds):
                await client.wait_for_ready()
                client.shutdown()
                while await running_manager.is_alive():
                    await anyio.sleep(0.005)

        assert isinstance(running_manager.exit_status, ExitStatus)

    async def test_several_tasks_wait_and_one_gives_up(
        self, running_manager: KernelManagerABC
    ) -> None:
        waited: list[bool] = []
        gave_up = anyio.CancelScope()

        async def wait() -> None:
            waited.append(await running_manager.wait())

        with anyio.fail_after(self.seconds):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(wait)
                with gave_up:
                    gave_up.deadline = anyio.current_time() + 0.01
                    await running_manager.wait()
                await running_manager.kill()

        assert gave_up.cancelled_caught
        assert waited == [False] * 3

    async def test_two_tasks_kill_one_kernel(self, running_manager: KernelManagerABC) -> None:
        with anyio.fail_after(self.seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(running_manager.kill)
                tasks.start_soon(running_manager.kill)
            alive = await running_manager.is_alive()

        assert alive is False

    async def test_a_dead_kernel_can_be_asked_for_anything_twice(
        self, running_manager: KernelManagerABC
    ) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.kill()
            for _ in range(2):
                await running_manager.signal(_STRONGEST_SIGNAL)
                await _interrupt(running_manager)
                await running_manager.terminate()
                await running_manager.kill()
                await running_manager.kernel_ready()
                await running_manager.wait()
                await running_manager.cleanup()
            alive = await running_manager.is_alive()

        assert alive is False

    async def test_two_tasks_ask_a_dead_kernel_for_anything(
        self, running_manager: KernelManagerABC
    ) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.kill()
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(running_manager.signal, _STRONGEST_SIGNAL)
                    tasks.start_soon(_interrupt, running_manager)
                    tasks.start_soon(running_manager.terminate)
                    tasks.start_soon(running_manager.kill)
                    tasks.start_soon(running_manager.kernel_ready)
                    tasks.start_soon(running_manager.wait)
                    tasks.start_soon(running_manager.cleanup)
            alive = await running_manager.is_alive()

        assert alive is False

    async def test_the_exit_status_stays(self, running_manager: KernelManagerABC) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.kill()
            status = running_manager.exit_status
            await end_kernel(running_manager)

        assert running_manager.exit_status == status

    async def test_the_kernel_may_be_ready_more_than_once(
        self, running_manager: KernelManagerABC, client: KernelClient
    ) -> None:
        with anyio.fail_after(self.seconds):
            await running_manager.kernel_ready()
            await running_manager.kernel_ready()
            await check_that_it_answers(client, self.code)

    async def test_an_interrupt_ends_what_is_executed_and_not_the_kernel(
        self, running_manager: KernelManagerABC, client: KernelClient
    ) -> None:
        if not self.long_code:
            pytest.skip("the suite has no long_code")
        if running_manager.interrupt_mode == "unsupported":
            pytest.skip("the kernel cannot be interrupted")
        with anyio.fail_after(self.seconds):
            request = client.execute(self.long_code, stop_on_error=False)
            # Before its output comes, a kernel may ignore an interrupt, or fail of it.
            async for message in request:
                if message.msg_type == "stream":
                    break
            await _interrupt_until_done(client, request)
            await check_that_it_answers(client, self.code)

    async def test_a_manager_is_used_from_another_event_loop(
        self, running_manager: KernelManagerABC, anyio_backend: str
    ) -> None:
        async def use() -> tuple[bool, bool]:
            alive = await running_manager.is_alive()
            with anyio.move_on_after(0.01):
                await running_manager.wait()
            await running_manager.kill()
            return alive, await running_manager.wait()

        def run() -> tuple[bool, bool]:
            return anyio.run(use, backend="trio" if anyio_backend == "asyncio" else "asyncio")

        with anyio.fail_after(self.seconds):
            there = await anyio.to_thread.run_sync(run)
            here = await running_manager.wait()

        assert there == (True, False)
        assert here is False

    async def test_nothing_is_left_after_the_end(
        self, running_manager: KernelManagerABC, leftovers: Leftovers
    ) -> None:
        with anyio.fail_after(self.seconds):
            await end_kernel(running_manager)
            await check_nothing_is_left(leftovers, running_manager.kernel_id)


async def _interrupt(manager: KernelManagerABC) -> None:
    if manager.interrupt_mode != "unsupported":
        await manager.interrupt()


async def _interrupt_until_done(client: KernelClient, request: Request) -> None:
    done = False
    # An interrupt may be lost on a kernel that is not quite done with its output, as on ipykernel.
    while not done:
        await client.interrupt()
        with anyio.move_on_after(_INTERRUPT_MOST):
            await request
            done = True
