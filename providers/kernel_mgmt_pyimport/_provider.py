"""A provider of the one kernel that the running interpreter can import."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from os import PathLike
from typing import TYPE_CHECKING, ClassVar

from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
from kernel_mgmt.exceptions import NoSuchKernelError

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo, KernelAttributes, LaunchOptions, LaunchParams
    from kernel_mgmt_subprocess import SubprocessLauncher

_NAME = "kernel"


class IPykernelProvider(KernelProviderBase):
    """Offers the kernel of the running interpreter, if ipykernel is installed for it.

    It has one kernel type, ``pyimport/kernel``. ipykernel is looked for and not imported.
    """

    id: ClassVar[str] = "pyimport"

    def find_kernels(self) -> Iterator[tuple[str, KernelAttributes]]:
        """Yield the kernel type, if ipykernel can be imported."""
        resources = _find_ipykernel()
        if resources is not None:
            yield _NAME, _attributes(resources)

    def get_kernel(self, name: str) -> KernelAttributes:
        """Return the attributes of the kernel type.

        :raises NoSuchKernelError: if it is another name, or ipykernel cannot be imported
        """
        if name.lower() != _NAME:
            raise NoSuchKernelError(name, (_NAME,))
        resources = _find_ipykernel()
        if resources is None:
            reason = f"ipykernel is not installed; run {sys.executable} -m pip install ipykernel"
            raise NoSuchKernelError(name, reason=reason)
        return _attributes(resources)

    async def launch(
        self,
        name: str,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC]:
        """Launch the kernel as a process of this machine; over ipc, unless tcp is asked for."""
        attributes = self.get_kernel(name)
        launcher = _launcher_class(options)(
            _argv(),
            cwd,
            launch_params=launch_params,
            options=options,
            resource_dir=attributes.get("resource_dir"),
            kernel_name=_NAME,
        )
        return await launcher.launch()


def _find_ipykernel() -> str | None:
    """Return the directory of ipykernel's resources, or ``None`` if there is no ipykernel."""
    try:
        package = find_spec("ipykernel")
        if package is None or find_spec("ipykernel_launcher") is None:
            return None
    except ValueError:  # something stands in for it that does not say where it comes from
        return None
    return os.path.join(os.path.dirname(package.origin or ""), "resources")


def _attributes(resources: str) -> KernelAttributes:
    version = sys.version_info
    return {
        "display_name": f"Python {version.major}.{version.minor} (this interpreter)",
        "language": "python",
        "language_info": {
            "name": "python",
            "version": f"{version.major}.{version.minor}.{version.micro}",
            "mimetype": "text/x-python",
            "codemirror_mode": {"name": "ipython", "version": version.major},
            "pygments_lexer": f"ipython{version.major}",
            "nbconvert_exporter": "python",
            "file_extension": ".py",
        },
        "argv": _argv(),
        "env": {},
        "resource_dir": resources,
        "interrupt_mode": "signal",
        "metadata": {},
    }


def _argv() -> list[str]:
    return [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def _launcher_class(options: LaunchOptions | None) -> type[SubprocessLauncher]:
    # Not before a launch: a listing needs no event loop, no sockets and no processes.
    from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher, SubprocessKernelLauncher

    transport = "auto" if options is None else options.transport
    # ZeroMQ has no ipc on Windows.
    if transport == "tcp" or (transport == "auto" and sys.platform == "win32"):
        return SubprocessKernelLauncher
    return SubprocessIPCKernelLauncher
