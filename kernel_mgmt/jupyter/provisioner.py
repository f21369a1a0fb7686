"""The provisioner ``kernel-mgmt``: jupyter_client launches kernels through our providers.

A kernelspec asks for it with ``"metadata": {"kernel_provisioner": {"provisioner_name": "kernel-mgmt"}}``; the
environment variable ``JUPYTER_DEFAULT_PROVISIONER_NAME=kernel-mgmt`` makes it that of all that ask for none.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import anyio
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Unicode

from kernel_mgmt.client import KernelClient
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import KernelManagementError
from kernel_mgmt.records import KernelRecord
from kernel_mgmt.types import LaunchOptions

from ._export import stands_for

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo, ExitStatus, LaunchParams

__all__ = ("KernelProvisioner",)

logger = logging.getLogger(__name__)

_PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
# How long a kernel may take to answer that it was interrupted (seconds).
_INTERRUPT_MOST = 5.0


class KernelProvisioner(KernelProvisionerBase):
    """Launches the kernel type that a kernelspec names, or is named by, and holds its process.

    Where the kernel listens is chosen by our launcher, and kept when it is restarted, so that open
    connections survive.
    """

    kernel_type = Unicode(
        "",
        config=True,
        help="The kernel type, such as env/project; by default the kernelspec's own, spec/<name>.",
    )

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._finder: KernelFinder | None = None
        self._manager: KernelManagerABC | None = None
        self._exit_code: int | None = None
        self._cwd: str | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel has been launched whose end has not been waited for."""
        return self._manager is not None and self._exit_code is None

    async def poll(self) -> int | None:
        """Return ``None`` while the kernel runs, and else its exit code."""
        if self._manager is None:
            return 0
        return None if await self._manager.is_alive() else _code_of(self._manager.exit_status)

    async def wait(self) -> int | None:
        """Wait until the kernel has ended, and return its exit code."""
        if self._manager is None:
            return 0
        while await self._manager.wait():
            pass
        self._exit_code = _code_of(self._manager.exit_status)
        return self._exit_code

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel; an interrupt goes the way that is right for its kind."""
        if self._manager is None:
            return
        if signum == signal.SIGINT:
            await self._interrupt(self._manager)
        else:
            await self._manager.signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel, and every process that it has started."""
        if self._manager is not None:
            await self._manager.kill()

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel's processes to end, by SIGTERM."""
        if self._manager is not None:
            await self._manager.terminate()

    async def cleanup(self, restart: bool = False) -> None:
        """Remove what the kernel has left."""
        if self._manager is not None:
            await self._manager.cleanup()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Fill in the environment; the argv is the provider's business."""
        kwargs = await super().pre_launch(**kwargs)
        return {**kwargs, "cmd": list(self.kernel_spec.argv)}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Launch the kernel through its provider, and return the connection info."""
        if self._finder is None:
            self._finder = KernelFinder.from_entrypoints()
        self._cwd = kwargs.get("cwd")
        params: LaunchParams | None = kwargs.get("launch_params")
        options = self._options(kwargs)
        connection_info, manager = await self._finder.launch(
            self._type_name(), self._cwd, params, options=options
        )
        self._manager, self._exit_code = manager, None
        self.connection_info = cast(Any, {**connection_info, "key": _key(connection_info)})
        self._load_into_parent()
        return self.connection_info

    async def get_provisioner_info(self) -> dict[str, Any]:
        """Return what another process needs to take hold of the kernel."""
        info: dict[str, Any] = await super().get_provisioner_info()
        if self._manager is not None:
            info["record"] = self._manager.describe()
        return info

    async def load_provisioner_info(self, provisioner_info: dict[str, Any]) -> None:
        """Take hold of a kernel that another process has launched.

        :raises KernelDiedError: if it no longer runs
        :raises ReattachError: if it is out of reach
        """
        self.kernel_id = provisioner_info["kernel_id"]
        self.connection_info = provisioner_info["connection_info"]
        if "record" in provisioner_info:
            record = KernelRecord.from_dict(provisioner_info["record"])
            self._finder = KernelFinder.from_entrypoints()
            self._manager = await self._finder.reattach(record)

    def resolve_path(self, path: str) -> str | None:
        """Return a path as the kernel sees it."""
        expanded = os.path.expanduser(path)
        if os.path.isabs(expanded):
            return expanded
        return os.path.abspath(os.path.join(self._cwd or os.getcwd(), expanded))

    def _type_name(self) -> str:
        if self.kernel_type:
            return self.kernel_type
        exported = stands_for(self.kernel_spec.metadata)
        manager: Any = self.parent
        return exported or f"spec/{manager.kernel_name}"

    def _options(self, kwargs: Mapping[str, Any]) -> LaunchOptions:
        manager: Any = self.parent
        return LaunchOptions(
            env=kwargs.get("env", {}),
            extra_arguments=kwargs.get("extra_arguments", ()),
            transport="ipc" if manager.transport == "ipc" else "auto",
            encryption=getattr(manager, "transport_encryption", "disabled"),
            kernel_id=manager.kernel_id,
            connection_info=_connection_of(manager),
            restart=self._manager is not None,
        )

    def _load_into_parent(self) -> None:
        # jupyter_client does it only where it finds no connection file, and our launcher writes one.
        manager: Any = self.parent
        if not all(getattr(manager, port) for port in _PORTS):
            # So that `newports` has an effect, of which it thinks over tcp alone.
            manager._random_port_names = list(_PORTS)
        for port in _PORTS:
            setattr(manager, port, 0)
        manager.load_connection_info(self.connection_info)

    async def _interrupt(self, manager: KernelManagerABC) -> None:
        if manager.interrupt_mode == "signal":
            await manager.interrupt()
            return
        async with KernelClient(manager.connection_info, manager, allow_unsigned=True) as client:
            try:
                with anyio.move_on_after(_INTERRUPT_MOST):
                    await client.interrupt()
            except KernelManagementError as error:
                # Its callers know no error here; what the kernel does goes on.
                logger.warning("%s", error)


def _connection_of(manager: Any) -> ConnectionInfo | None:
    """Where the kernel is to listen, if jupyter_client has settled it."""
    if not all(getattr(manager, port) for port in _PORTS):
        return None
    info = manager.get_connection_info()
    return cast("ConnectionInfo", {**info, "key": info["key"].decode()})


def _key(connection_info: ConnectionInfo) -> bytes:
    return connection_info.get("key", "").encode()


def _code_of(status: ExitStatus | None) -> int:
    """The exit code as :class:`subprocess.Popen` has it."""
    if status is None:
        return 0
    if status.signal is not None:
        return -status.signal
    return 0 if status.code is None else status.code
