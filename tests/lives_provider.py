"""A provider of fake kernels that misbehave in one life and not in the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import NamedTuple

from kernel_mgmt import (
    ConnectionInfo,
    ExitStatus,
    KernelAttributes,
    KernelFinder,
    KernelManagerABC,
    KernelProviderBase,
    LaunchOptions,
)
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt.types import LaunchParams
from kernel_mgmt_subprocess import (
    KernelManager,
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
)


class Launch(NamedTuple):
    """What a launch was asked for."""

    cwd: str | PathLike[str] | None
    launch_params: LaunchParams | None
    options: LaunchOptions


class OddManager(KernelManagerABC):
    """A manager of somebody else, which can do less; everything else is left to another manager.

    :ivar wait_error: what is raised instead of waiting
    :ivar is_alive_errors: what is raised instead of looking, one after the other
    :ivar on_ready: called when the kernel is ready
    """

    def __init__(self, manager: KernelManager) -> None:
        self.kernel_id = manager.kernel_id
        self.interrupt_mode = manager.interrupt_mode
        self.connection_info = manager.connection_info
        self.wait_error: Exception | None = None
        self.is_alive_errors: list[Exception] = []
        self.on_ready: Callable[[], object] = lambda: None
        self.inner = manager

    @property
    def pid(self) -> int:
        return self.inner.pid

    @property
    def exit_status(self) -> ExitStatus | None:
        return self.inner.exit_status

    async def is_alive(self) -> bool:
        if self.is_alive_errors:
            raise self.is_alive_errors.pop()
        return await self.inner.is_alive()

    async def wait(self) -> bool:
        if self.wait_error is not None:
            raise self.wait_error
        return await self.inner.wait()

    async def signal(self, signum: int) -> None:
        await self.inner.signal(signum)

    async def interrupt(self) -> None:
        await self.inner.interrupt()

    async def kill(self) -> None:
        await self.inner.kill()

    async def cleanup(self) -> None:
        await self.inner.cleanup()

    async def kernel_ready(self) -> None:
        await self.inner.kernel_ready()
        self.on_ready()


class LivesProvider(KernelProviderBase):
    """Launches fake kernels.

    :param lives: the switches of the fake kernel for each life, or what its launch raises; the last
        holds for all further lives

    :ivar launches: what each launch was asked for
    :ivar managers: the managers of what was launched
    :ivar about_to_launch: called before each launch
    :ivar make_odd: called with an :class:`OddManager`, which is handed out in place of each manager
    """

    id = "lives"

    def __init__(self, *lives: Sequence[str] | Exception) -> None:
        self.lives = lives or ((),)
        self.launches: list[Launch] = []
        self.managers: list[KernelManager] = []
        self.about_to_launch: Callable[[], object] = lambda: None
        self.make_odd: Callable[[OddManager], object] | None = None

    @property
    def finder(self) -> KernelFinder:
        """A finder with this provider alone."""
        return KernelFinder([self])

    def find_kernels(self) -> Iterator[tuple[str, KernelAttributes]]:
        yield "ipc", {}
        yield "tcp", {}

    async def launch(
        self,
        name: str,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC]:
        self.about_to_launch()
        life = self.lives[min(len(self.launches), len(self.lives) - 1)]
        self.launches.append(Launch(cwd, launch_params, options or LaunchOptions()))
        if isinstance(life, Exception):
            raise life
        launcher = {"ipc": SubprocessIPCKernelLauncher, "tcp": SubprocessKernelLauncher}[name]
        connection_info, manager = await launcher(
            fake_kernel_argv(*life), cwd, launch_params=launch_params, options=options
        ).launch()
        self.managers.append(manager)
        if self.make_odd is None:
            return connection_info, manager
        odd = OddManager(manager)
        self.make_odd(odd)
        return connection_info, odd
