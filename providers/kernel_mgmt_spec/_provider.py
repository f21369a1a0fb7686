"""A provider of the kernelspecs in Jupyter's directories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, ClassVar

from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
from kernel_mgmt.kernelspecs import KernelSpec, KernelSpecFinder

if TYPE_CHECKING:
    from kernel_mgmt.types import (
        ConnectionInfo,
        KernelAttributes,
        LaunchOptions,
        LaunchParams,
        Problem,
    )
    from kernel_mgmt_subprocess import SubprocessLauncher


class KernelSpecProvider(KernelProviderBase):
    """Finds the kernelspecs in Jupyter's directories, and launches them as processes.

    A subclass that has its own :attr:`id` and :attr:`kernel_file` shares the directories with
    this one, and launches in its own way. :meth:`find_kernel_spec` gives it the kernelspec.

    :cvar kernel_file: the file that makes a folder a kernelspec of this provider
    """

    id: ClassVar[str] = "spec"
    kernel_file: ClassVar[str] = "kernel.json"

    def __init__(self, search_path: Iterable[str | PathLike[str]] | None = None) -> None:
        """Take note of where to look; nothing is read yet.

        :param search_path: the directories to search; Jupyter's when ``None``
        """
        self._finder = KernelSpecFinder(search_path, kernel_file=self.kernel_file, provider=self.id)

    @property
    def problems(self) -> Sequence[Problem]:
        """The kernelspecs that the last listing could not list, and what is odd in others."""
        return self._finder.problems

    def find_kernels(self) -> Iterator[tuple[str, KernelAttributes]]:
        """Yield the name and the attributes of each kernelspec.

        The values of the attributes are those of the next listing too, and not to be changed.
        """
        for spec in self._finder.find():
            yield spec.name, spec.attributes.copy()

    def get_kernel(self, name: str) -> KernelAttributes:
        """Return the attributes of one kernelspec, without a listing.

        :raises NoSuchKernelError: if there is none
        :raises KernelSpecError: if there is one, and it cannot be used
        """
        return self.find_kernel_spec(name).attributes.copy()

    def find_kernel_spec(self, name: str) -> KernelSpec:
        """Return one kernelspec.

        :raises NoSuchKernelError: if there is none
        :raises KernelSpecError: if there is one, and it cannot be used
        """
        return self._finder.get(name)

    async def launch(
        self,
        name: str,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC]:
        """Launch a kernelspec as a process of this machine.

        The transport, unless it is asked for, is ipc for the kernels that are known to speak it.
        """
        spec = self.find_kernel_spec(name)
        launcher = _launcher_class(spec, options)(
            spec.argv,
            cwd,
            spec.env,
            launch_params=launch_params,
            options=options,
            interrupt_mode=spec.interrupt_mode,
            resource_dir=spec.resource_dir,
            kernel_name=spec.name,
        )
        return await launcher.launch()


def _launcher_class(spec: KernelSpec, options: LaunchOptions | None) -> type[SubprocessLauncher]:
    # Not before a launch: a listing needs no event loop, no sockets and no processes.
    from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher, SubprocessKernelLauncher

    transport = "auto" if options is None else options.transport
    if transport == "auto":
        transport = "ipc" if any(map(_is_ipykernel, spec.argv)) else "tcp"
    return SubprocessIPCKernelLauncher if transport == "ipc" else SubprocessKernelLauncher


def _is_ipykernel(argument: str) -> bool:
    return argument in {"ipykernel", "ipykernel_launcher"} or argument.endswith(
        "ipykernel_launcher.py"
    )
