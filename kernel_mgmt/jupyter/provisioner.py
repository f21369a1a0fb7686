"""The provisioner ``kernel-mgmt``: jupyter_client launches kernels through our providers.

A kernelspec asks for it with ``"metadata": {"kernel_provisioner": {"provisioner_name": "kernel-mgmt"}}``; the
environment variable ``JUPYTER_DEFAULT_PROVISIONER_NAME=kernel-mgmt`` makes it that of all that ask for none.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

import anyio
from jupyter_client.connect import port_names
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Unicode

from kernel_mgmt.client import KernelClient
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import KernelLaunchError, KernelManagementError
from kernel_mgmt.records import KernelRecord
from kernel_mgmt.restarter._watch import wait_for_the_end
from kernel_mgmt.types import LaunchOptions

from ._export import stands_for
from ._first_answer import start_telling
from ._in_hand import finder_of
from ._launch import is_as_asked, launch
from ._place import as_text, place_of
from ._relayed import RelayInFront

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo, ExitStatus, LaunchParams

__all__ = ("KernelProvisioner",)

logger = logging.getLogger(__name__)

# How often to look whether a kernel runs that cannot be waited for (seconds).
_TIME_TO_DEAD = 3.0
# How long a kernel may take to answer that it was interrupted (seconds).
_INTERRUPT_MOST = 5.0


@runtime_checkable
class KeepsFiles(Protocol):
    """A manager of ours that removes files at the end of its kernel, whatever ends the program."""

    def add_files(self, paths: list[str]) -> None: ...


class KernelProvisioner(LocalProvisioner):
    """Launches the kernel type that a kernelspec names, or is named by, and holds its process.

    Where the kernel listens is chosen by our launcher, and kept when it is restarted, so that open
    connections survive. A relay stands before one that jupyter_client cannot reach itself. Programs
    which ask that look for jupyter_client's own class.

    :ivar first_answer: done when the manager knows that the kernel has answered, or has ended;
        ``None`` where a relay knows
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
        self._relay = RelayInFront()
        self.first_answer: Future[None] | None = None
        self._exit_code: int | None = None
        self._cwd: str | None = None
        self._kept_ports: list[str] = []

    @property
    def has_process(self) -> bool:
        """Whether a kernel has been launched whose end has not been waited for."""
        return self._manager is not None and self._exit_code is None

    async def poll(self) -> int | None:
        """Return ``None`` while the kernel runs, and else its exit code."""
        if self._manager is None:
            return 0
        if await self._manager.is_alive():
            return None
        if not getattr(self.parent, "shutting_down", True) and not self.has_port_conflict:
            self._keep_ports()
        return _code_of(self._manager.exit_status)

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the kernel ended; ``None`` while it runs, or if that is not known."""
        return None if self._manager is None else self._manager.exit_status

    @property
    def has_port_conflict(self) -> bool:
        """Whether the kernel has ended because a port was taken, as far as its output tells."""
        return bool(getattr(self._manager, "port_conflict", False))

    async def ended(self) -> None:
        """Wait until the kernel has ended; its exit code can still be waited for."""
        if self._manager is not None:
            await wait_for_the_end(self._manager, _TIME_TO_DEAD, anyio.sleep)

    async def wait(self) -> int | None:
        """Wait until the kernel has ended, and return its exit code."""
        if self._manager is None:
            return 0
        await self.ended()
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
        """Remove what the kernel has left; a relay stays for the kernel that follows after a restart."""
        if self._manager is not None:
            await self._manager.cleanup()
        await self._relay.clean_up(restart=restart)

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Fill in the environment; the argv is the provider's business."""
        kwargs = await KernelProvisionerBase.pre_launch(self, **kwargs)
        return {**kwargs, "cmd": list(self.kernel_spec.argv)}

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Launch the kernel through its provider, and return the connection info."""
        self._cwd = kwargs.get("cwd")
        options = self._options(kwargs)
        connection_info, manager = await self._launch(kwargs.get("launch_params"), options)
        self._manager, self._exit_code, self.first_answer = manager, None, None
        # It leads a session of its own, if it is a process of this machine.
        self.pid = self.pgid = getattr(manager, "pid", None)
        if manager is not None:
            connection_info = await self._made_reachable(
                connection_info, manager, options.connection_info
            )
        self.connection_info = cast(Any, {**connection_info, "key": _key(connection_info)})
        self._load_into_parent()
        return self.connection_info

    async def get_provisioner_info(self) -> dict[str, Any]:
        """Return what another process needs to take hold of the kernel."""
        info: dict[str, Any] = await KernelProvisionerBase.get_provisioner_info(self)
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
            reached_by = self._manager.connection_info
            if not is_as_asked(reached_by, None):
                # It listens already if the program still runs that has launched the kernel.
                with suppress(OSError):
                    asked = as_text(provisioner_info["connection_info"])
                    await self._relay.serve(reached_by, self._manager, asked)

    def resolve_path(self, path_str: str) -> str | None:
        """Return a path as the kernel sees it."""
        expanded = os.path.expanduser(path_str)
        if os.path.isabs(expanded):
            return expanded
        return os.path.abspath(os.path.join(self._cwd or os.getcwd(), expanded))

    def _kernel_type_and_finder(self) -> tuple[str, KernelFinder]:
        kernel_type = self.kernel_type or stands_for(self.kernel_spec.metadata)
        if kernel_type:
            if self._finder is None:
                self._finder = KernelFinder.from_entrypoints()
            return kernel_type, self._finder
        # Found by whatever lists kernelspecs for the program, which may be none of ours.
        manager: Any = self.parent
        name: str = manager.kernel_name or "kernel"
        return f"spec/{name}", finder_of(self.kernel_spec, name)

    def _options(self, kwargs: Mapping[str, Any]) -> LaunchOptions:
        manager: Any = self.parent
        again = self._manager is not None
        is_free = manager.transport == "tcp" and not getattr(manager, "settles_transport", False)
        return LaunchOptions(
            env=_added(kwargs.get("env", {})),
            extra_arguments=kwargs.get("extra_arguments", ()),
            transport="auto" if is_free else manager.transport,
            encryption=getattr(manager, "transport_encryption", "disabled"),
            kernel_id=manager.kernel_id,
            connection_info=place_of(manager, self._cwd, again=again),
            restart=again,
        )

    async def _launch(
        self, launch_params: LaunchParams | None, options: LaunchOptions
    ) -> tuple[ConnectionInfo, KernelManagerABC | None]:
        kernel_type, finder = self._kernel_type_and_finder()
        if self._relay.is_open:
            # The relay listens where the kernel is asked for.
            options = replace(options, connection_info=None)
        try:
            return await launch(finder, kernel_type, self._cwd, launch_params, options=options)
        except KernelLaunchError as error:
            # What jupyter_client's callers know: a program that is not there, above all.
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from error
            raise

    async def _made_reachable(
        self,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC,
        asked: ConnectionInfo | None,
    ) -> ConnectionInfo:
        """Return how jupyter_client reaches a kernel that has been launched."""
        if is_as_asked(connection_info, asked):
            self.first_answer = start_telling(connection_info, manager)
            return connection_info
        return await self._relay.serve_launched(self.parent, connection_info, manager, asked)

    def _load_into_parent(self) -> None:
        # jupyter_client does it only where it finds no connection file, and our launcher writes one.
        manager: Any = self.parent
        if self._kept_ports:
            manager._random_port_names, self._kept_ports = self._kept_ports, []
        if manager._random_port_names is None:
            # So that `newports` has an effect, of which it thinks over tcp alone.
            manager._random_port_names = [name for name in port_names if not getattr(manager, name)]
        for name in port_names:
            setattr(manager, name, 0)
        manager.load_connection_info(self.connection_info)
        self._share_connection_file(manager)

    def _share_connection_file(self, manager: Any) -> None:
        """Have one connection file, or else have that of jupyter_client removed like ours."""
        assert self._manager is not None
        if not manager.connection_file:
            manager.connection_file = self._manager.describe().get("connection_file", "")
        elif isinstance(self._manager, KeepsFiles):
            self._manager.add_files([os.path.abspath(manager.connection_file)])

    def _keep_ports(self) -> None:
        # A kernel that dies soon after its start is restarted with new ports, in case that they were
        # taken. Where they were not, open connections would wait for answers for good.
        manager: Any = self.parent
        if manager._random_port_names:
            self._kept_ports, manager._random_port_names = manager._random_port_names, []

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


def _added(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that the environment of this process does not have."""
    return {name: value for name, value in env.items() if os.environ.get(name) != value}


def _key(connection_info: ConnectionInfo) -> bytes:
    return connection_info.get("key", "").encode()


def _code_of(status: ExitStatus | None) -> int:
    """The exit code as :class:`subprocess.Popen` has it."""
    if status is None:
        return 0
    if status.signal is not None:
        return -status.signal
    return 0 if status.code is None else status.code
