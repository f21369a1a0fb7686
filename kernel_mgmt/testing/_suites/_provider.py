"""What every kernel provider must do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

import anyio
import pytest

from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import LaunchOptionError, NoSuchKernelError
from kernel_mgmt.types import LaunchOptions, LaunchParams

from ._leftovers import Leftovers
from ._suite import (
    Suite,
    check_cancelled_launches,
    check_nothing_is_left,
    check_that_it_answers,
    client_of,
    discard,
)

if TYPE_CHECKING:
    from ._suite import Launched

_NO_SUCH_KERNEL = "no-such-kernel-a7f3"


class ProviderSuite(Suite):
    """The tests of a provider; a subclass overrides the fixture :meth:`provider`.

    ::

        class TestOblongProvider(ProviderSuite):
            @pytest.fixture
            def provider(self):
                return OblongKernelProvider()

    The provider is asked as every program does it, through a :class:`KernelFinder`. One that
    derives from :class:`ManagerSuite` as well tests the managers of the provider, too.

    :cvar launch_params: values for the launch parameters of the kernel type that is launched
    """

    launch_params: ClassVar[LaunchParams | None] = None

    @pytest.fixture
    def provider(self) -> KernelProviderBase:
        """A new provider, which is not configured yet, and has a kernel type."""
        raise NotImplementedError("a subclass of ProviderSuite overrides the fixture 'provider'")

    @pytest.fixture
    def finder(self, provider: KernelProviderBase) -> KernelFinder:
        """A finder of the provider alone; to be overridden for one that needs configuration."""
        return KernelFinder([provider], allow=["*"], deny=())

    @pytest.fixture
    async def kernel_name(self, finder: KernelFinder) -> str:
        """The name of the kernel type that is launched: the first one that is listed."""
        async for name, _ in finder.find_kernels_async():
            return name
        pytest.fail(f"the provider lists no kernel type: {_problems(finder)}")

    @pytest.fixture
    async def manager(self, finder: KernelFinder, kernel_name: str) -> KernelManagerABC:
        """The manager of a kernel that has just been launched, for a :class:`ManagerSuite`."""
        connection_info, manager = await self._launch(finder, kernel_name)
        if manager is None:
            await discard(connection_info, None)
            pytest.skip("the provider launches without a manager")
        return manager

    async def test_the_id_is_valid(self, provider: KernelProviderBase) -> None:
        assert re.fullmatch(r"[a-z0-9._-]+", provider.id)

    async def test_the_class_needs_no_arguments(self, provider: KernelProviderBase) -> None:
        another = type(provider)()

        assert another.id == provider.id

    @pytest.mark.parametrize("config", [None, {}])
    async def test_configuration_may_be_none_or_empty(
        self, provider: KernelProviderBase, config: dict[str, object] | None
    ) -> None:
        type(provider)().load_config(config)

    async def test_it_lists_kernel_types_and_has_no_problem(self, finder: KernelFinder) -> None:
        names = [name for name, _ in finder.find_kernels()]

        assert _problems(finder) == ""
        assert names != []

    async def test_an_asynchronous_listing_is_the_same(self, finder: KernelFinder) -> None:
        with anyio.fail_after(self.seconds):
            asynchronous = [name async for name, _ in finder.find_kernels_async()]
        names = [name for name, _ in finder.find_kernels()]

        assert _problems(finder) == ""
        assert sorted(asynchronous) == sorted(names)

    async def test_the_next_listing_is_the_same(self, finder: KernelFinder) -> None:
        names = [name for name, _ in finder.find_kernels()]
        again = [name for name, _ in finder.find_kernels()]

        assert names == again

    async def test_the_attributes_can_be_told_in_json(self, finder: KernelFinder) -> None:
        kernels = dict(finder.find_kernels())

        assert json.loads(json.dumps(kernels)) == kernels

    async def test_each_name_that_is_listed_can_be_asked_for(self, finder: KernelFinder) -> None:
        listed = dict(finder.find_kernels())
        with anyio.fail_after(self.seconds):
            asked_for = {name: await finder.get_async(name) for name in listed}

        assert asked_for == listed

    async def test_a_name_that_is_not_listed_is_no_kernel_type(
        self, finder: KernelFinder, provider: KernelProviderBase
    ) -> None:
        with anyio.fail_after(self.seconds), pytest.raises(NoSuchKernelError):
            await finder.get_async(f"{provider.id}/{_NO_SUCH_KERNEL}")

    async def test_a_name_that_is_not_listed_cannot_be_launched(
        self, finder: KernelFinder, provider: KernelProviderBase, leftovers: Leftovers
    ) -> None:
        with anyio.fail_after(self.seconds):
            with pytest.raises(NoSuchKernelError):
                await self._launch(finder, f"{provider.id}/{_NO_SUCH_KERNEL}")
            with pytest.raises(NoSuchKernelError):
                await provider.launch(_NO_SUCH_KERNEL, None, self.launch_params)
            await check_nothing_is_left(leftovers)

    async def test_a_launched_kernel_answers(self, finder: KernelFinder, kernel_name: str) -> None:
        with anyio.fail_after(self.seconds):
            async with client_of(*await self._launch(finder, kernel_name)) as client:
                await check_that_it_answers(client, self.code)

    async def test_a_kernel_is_launched_in_a_directory(
        self, finder: KernelFinder, kernel_name: str, tmp_path: Path
    ) -> None:
        with anyio.fail_after(self.seconds):
            launched = await finder.launch(kernel_name, tmp_path, self.launch_params)
            async with client_of(*launched) as client:
                await check_that_it_answers(client, self.code)

    async def test_a_launch_returns_a_manager_that_knows_how_to_reach_the_kernel_or_none(
        self, finder: KernelFinder, kernel_name: str
    ) -> None:
        with anyio.fail_after(self.seconds):
            connection_info, manager = await self._launch(finder, kernel_name)
            await discard(connection_info, manager)

        assert isinstance(manager, KernelManagerABC | None)
        assert manager is None or manager.connection_info == connection_info

    async def test_two_kernels_run_side_by_side(
        self, finder: KernelFinder, kernel_name: str
    ) -> None:
        with anyio.fail_after(self.seconds):
            first = await self._launch(finder, kernel_name)
            second = await self._launch(finder, kernel_name)
            async with client_of(*second) as second_client:
                async with client_of(*first) as first_client:
                    await check_that_it_answers(first_client, self.code)
                await check_that_it_answers(second_client, self.code)
            ids = [manager.kernel_id for _, manager in (first, second) if manager is not None]

        assert len(set(ids)) == len(ids)

    async def test_an_option_is_heeded_or_refused(
        self, finder: KernelFinder, kernel_name: str
    ) -> None:
        options = LaunchOptions(kernel_id=f"suite-{uuid4()}")
        with anyio.fail_after(self.seconds):
            try:
                launched = await finder.launch(
                    kernel_name, None, self.launch_params, options=options
                )
            except LaunchOptionError:
                return
            await discard(*launched)

        assert launched[1] is not None
        assert launched[1].kernel_id == options.kernel_id

    async def test_a_launch_that_is_cancelled_leaves_nothing(
        self, finder: KernelFinder, kernel_name: str, leftovers: Leftovers
    ) -> None:
        with anyio.fail_after(self.seconds):
            await check_cancelled_launches(lambda: self._launch(finder, kernel_name), leftovers)

    async def _launch(self, finder: KernelFinder, kernel_name: str) -> Launched:
        return await finder.launch(kernel_name, None, self.launch_params)


def _problems(finder: KernelFinder) -> str:
    return "\n".join(map(str, finder.problems))
