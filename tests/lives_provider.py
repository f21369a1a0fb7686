"""A provider of fake kernels that misbehave in one life and not in the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import NamedTuple

from kernel_mgmt import (
    ConnectionInfo,
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


class LivesProvider(KernelProviderBase):
    """Launches fake kernels.

    :param lives: the switches of the fake kernel for each life, or what its launch raises; the last
        holds for all further lives

    :ivar launches: what each launch was asked for
    :ivar managers: the managers of what was launched
    :ivar about_to_launch: called before each launch
    """

    id = "lives"

    def __init__(self, *lives: Sequence[str] | Exception) -> None:
        self.lives = lives or ((),)
        self.launches: list[Launch] = []
        self.managers: list[KernelManager] = []
        self.about_to_launch: Callable[[], object] = lambda: None

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
        return connection_info, manager
