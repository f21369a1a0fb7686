"""A provider of the kernelspecs in Jupyter's directories."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
from kernel_mgmt.kernelspecs import KernelSpec, KernelSpecFinder

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord
    from kernel_mgmt.types import (
        ConnectionInfo,
        KernelAttributes,
        LaunchOptions,
        LaunchParams,
        LaunchPlan,
        Problem,
    )
    from kernel_mgmt_subprocess import LaunchSettings


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
        self._settings: LaunchSettings | None = None

    def load_config(self, config: Mapping[str, Any] | None = None) -> None:
        """Take the settings ``transport``, ``encryption``, ``handshake`` and ``interrupt_mode``.

        They stand there for all kernels, and under ``kernels`` and a name for one.

        :raises ValueError: if there is no such setting, or a setting has no such value
        """
        if config:
            # Not without need: a listing loads no launcher.
            from kernel_mgmt_subprocess import LaunchSettings

            self._settings = LaunchSettings(config)

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

        How it is reached, and whether it encrypts, is chosen by
        :func:`kernel_mgmt_subprocess.make_launcher`.
        """
        # Not before a launch: a listing needs no event loop, no sockets and no processes. And in a
        # thread, since the event loop would wait for it.
        if "kernel_mgmt_subprocess" not in sys.modules:
            from anyio import to_thread

            await to_thread.run_sync(import_module, "kernel_mgmt_subprocess")
        from kernel_mgmt_subprocess import make_launcher

        spec = self.find_kernel_spec(name)
        launcher = make_launcher(
            spec.attributes,
            cwd,
            launch_params,
            kernel_name=spec.name,
            options=options,
            settings=self._settings,
        )
        launcher.kernel_type = f"{self.id}/{spec.name}"
        return await launcher.launch()

    def plan_launch(self, name: str, options: LaunchOptions | None = None) -> LaunchPlan:
        """Tell how a launch with these options would go.

        :raises LaunchOptionError: if an option cannot be had
        :raises KernelLaunchError: if the kernelspec has a setting that is none
        """
        from kernel_mgmt_subprocess import plan_launch

        return plan_launch(
            self.get_kernel(name), kernel_name=name, options=options, settings=self._settings
        )

    async def reattach(self, record: KernelRecord) -> KernelManagerABC:
        """Take hold of a running kernel that this provider launched in another process.

        :raises KernelDiedError: if it no longer runs
        :raises ReattachError: if it is out of reach
        """
        from kernel_mgmt_subprocess import reattach

        return reattach(record)
