"""A provider of the one kernel that the running interpreter can import."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
from kernel_mgmt.exceptions import NoSuchKernelError

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord
    from kernel_mgmt.types import (
        ConnectionInfo,
        KernelAttributes,
        LaunchOptions,
        LaunchParams,
        LaunchPlan,
    )
    from kernel_mgmt_subprocess import LaunchSettings

_NAME = "kernel"
_FIRST_WITH_CURVE = (7, 3)


class IPykernelProvider(KernelProviderBase):
    """Offers the kernel of the running interpreter, if ipykernel is installed for it.

    It has one kernel type, ``pyimport/kernel``. ipykernel is looked for and not imported.
    """

    id: ClassVar[str] = "pyimport"

    def __init__(self) -> None:
        self._settings: LaunchSettings | None = None

    def load_config(self, config: Mapping[str, Any] | None = None) -> None:
        """Take the settings ``transport``, ``encryption``, ``handshake`` and ``interrupt_mode``.

        :raises ValueError: if there is no such setting, or a setting has no such value
        """
        if config:
            # Not without need: a listing loads no launcher.
            from kernel_mgmt_subprocess import LaunchSettings

            self._settings = LaunchSettings(config)

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
        """Launch the kernel as a process of this machine; over ipc, unless tcp is asked for.

        Over tcp its messages are encrypted, if this ipykernel can do that.
        """
        # Not before a launch: a listing needs no event loop, no sockets and no processes. And in a
        # thread, since the event loop would wait for it.
        if "kernel_mgmt_subprocess" not in sys.modules:
            from anyio import to_thread

            await to_thread.run_sync(import_module, "kernel_mgmt_subprocess")
        from kernel_mgmt_subprocess import make_launcher

        launcher = make_launcher(
            self.get_kernel(name),
            cwd,
            launch_params,
            kernel_name=_NAME,
            options=options,
            settings=self._settings,
        )
        launcher.kernel_type = f"{self.id}/{_NAME}"
        return await launcher.launch()

    def plan_launch(self, name: str, options: LaunchOptions | None = None) -> LaunchPlan:
        """Tell how a launch with these options would go.

        :raises LaunchOptionError: if an option cannot be had
        :raises KernelLaunchError: if the kernelspec has a setting that is none
        """
        from kernel_mgmt_subprocess import plan_launch

        return plan_launch(
            self.get_kernel(name), kernel_name=_NAME, options=options, settings=self._settings
        )

    async def reattach(self, record: KernelRecord) -> KernelManagerABC:
        """Take hold of a running kernel that this provider launched in another process.

        :raises KernelDiedError: if it no longer runs
        :raises ReattachError: if it is out of reach
        """
        from kernel_mgmt_subprocess import reattach

        return reattach(record)


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
        "metadata": _metadata(os.path.dirname(resources)),
    }


def _argv() -> list[str]:
    return [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def _metadata(package: str) -> dict[str, Any]:
    """Return what the kernelspec says that ipykernel would install."""
    metadata: dict[str, Any] = {"debugger": True}
    if _version(package) >= _FIRST_WITH_CURVE:
        metadata["supported_encryption"] = ["curve"]
    return metadata


def _version(package: str) -> tuple[int, int]:
    # To ask importlib.metadata would take longer than all else in a listing.
    try:
        with open(os.path.join(package, "_version.py"), encoding="utf-8") as file:
            found = re.search(r"""__version__ = ["'](\d+)\.(\d+)""", file.read())
    except (OSError, ValueError):
        return (0, 0)
    return (int(found[1]), int(found[2])) if found else (0, 0)
