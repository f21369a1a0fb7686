"""The kernel of a classic manager: what is known of it, its clients, callbacks and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from os import fspath
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack
from uuid import uuid4
from weakref import WeakMethod, WeakSet

from kernel_mgmt.exceptions import KernelStateError
from kernel_mgmt.paths import jupyter_runtime_dir
from kernel_mgmt.start import default_finder
from kernel_mgmt.transports.zmq import zmq_context

from ._callbacks import CallbackEvent, RestartCallbacks
from ._client import KernelClient
from ._kernel_spec import KernelSpec
from ._launch import StartKeywords, command_of
from ._names import NATIVE_KERNEL_NAME, find_kernel_type, plain_name
from ._place import put_connection_file, remove_connection_file
from ._ready import Ready
from ._settings import ConnectionSettings, Settings, check_keywords, connection_settings

if TYPE_CHECKING:
    import zmq

    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.kernel import Kernel
    from kernel_mgmt.restarter import RestartPolicy

    from ._launch import Encryption

__all__ = ("ManagedKernel", "ManagerSettings")

AnyClient = TypeVar("AnyClient", bound=KernelClient[Any])
T = TypeVar("T")


class ManagerSettings(Settings, total=False):
    """What may be told when a manager is made, besides what :class:`Settings` has.

    :ivar kernel_finder: where the kernel type is looked up; by default, all installed providers
    :ivar kernel_id: the id of the kernel; made up if it is missing
    :ivar owns_kernel: whether the kernel is this manager's to start and end
    :ivar autorestart: whether the kernel is started again when it has died
    :ivar restart_policy: when and how often
    :ivar startup_timeout: how long the kernel may take to be ready, in seconds
    :ivar shutdown_wait_time: how long it may take to end, in seconds: half of it after the request,
        the other half after SIGTERM
    :ivar transport_encryption: ``"auto"``, ``"disabled"`` or ``"required"``
    :ivar client_factory: makes the clients
    :ivar parent: who made the manager
    :ivar context: ignored: all of a process share its context
    """

    kernel_finder: KernelFinder | None
    kernel_id: str
    owns_kernel: bool
    autorestart: bool
    restart_policy: RestartPolicy | None
    startup_timeout: float
    shutdown_wait_time: float
    transport_encryption: Encryption
    client_factory: Callable[..., Any]
    parent: object
    context: object


class ManagedKernel(ConnectionSettings, Generic[AnyClient]):
    """What a manager knows of its kernel, which it may have yet to start.

    :ivar kernel_name: the kernel type, such as ``"python3"`` or ``"env/myproject"``
    :ivar kernel_id: the id of the kernel; ``None`` before it is known
    :ivar owns_kernel: whether the kernel is this manager's to start and end
    :ivar client_factory: makes the clients
    """

    client_factory: Callable[..., Any]

    def __init__(self, **settings: Unpack[ManagerSettings]) -> None:
        check_keywords(type(self).__name__, settings, ManagerSettings.__annotations__)
        super().__init__(**connection_settings(settings))
        self.kernel_name = plain_name(self.kernel_name or NATIVE_KERNEL_NAME)
        self.transport = settings.get("transport", "auto")
        self.kernel_finder = settings.get("kernel_finder")
        self.kernel_id = settings.get("kernel_id")
        self.owns_kernel = settings.get("owns_kernel", True)
        self.restart_policy = settings.get("restart_policy")
        self.startup_timeout = settings.get("startup_timeout", 60.0)
        self.shutdown_wait_time = settings.get("shutdown_wait_time", 5.0)
        self.transport_encryption: Encryption = settings.get("transport_encryption", "auto")
        self.client_factory = settings.get("client_factory", self.client_factory)
        self.parent = settings.get("parent")
        self._autorestart = settings.get("autorestart", False)
        self._keywords: StartKeywords = {}
        self._kernel: Kernel | None = None
        self._kernel_spec: KernelSpec | None = None
        self._callbacks = RestartCallbacks()
        self._clients: WeakSet[AnyClient] = WeakSet()
        self._connected: object = None
        self._followed: KernelManagerABC | None = None
        self._wanted_file: str | None = None
        self._ready = Ready()
        self._noted_connections = 0
        self._seen = datetime.now(UTC)

    # What it is

    @property
    def ready(self) -> Ready:
        """Whether the last start, restart or shutdown is done, or why it failed.

        It is awaited in any event loop, and its ``result()`` waited for by any thread.
        """
        return self._ready

    @property
    def has_kernel(self) -> bool:
        """Whether there is a kernel that was started, and has neither died nor been shut down."""
        return self._kernel is not None and self._kernel.state != "dead"

    @property
    def autorestart(self) -> bool:
        """Whether the kernel is started again when it has died; may be set."""
        return self._autorestart

    @autorestart.setter
    def autorestart(self, autorestart: bool) -> None:
        self._autorestart = autorestart
        if self._kernel is not None:
            self._kernel.autorestart = autorestart

    @property
    def kernel_spec(self) -> KernelSpec:
        """What is known of the kernel type.

        :raises NoSuchKernelError: if there is none of this name
        """
        if self._kernel_spec is None or self._kernel_spec.asked_for != self.kernel_name:
            kernel_type, attributes = find_kernel_type(self._finder, self.kernel_name)
            self._kernel_spec = KernelSpec.of(kernel_type, attributes, self.kernel_name)
        return self._kernel_spec

    @property
    def ipykernel(self) -> bool:
        """Whether the kernel is called as ipykernel is."""
        return self.kernel_name in ("python", "python2", "python3", "pyimport/kernel")

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The ZeroMQ context, which all of the process share."""
        return zmq_context()

    @property
    def execution_state(self) -> str:
        """What the kernel is doing, as far as it tells: ``"busy"``, ``"idle"``, ``"dead"``, …"""
        if self._kernel is None:
            return "idle" if self._is_external else "dead"
        return self._kernel.state

    @property
    def last_activity(self) -> datetime:
        """When the kernel has last published something."""
        return self._seen if self._kernel is None else self._kernel.last_activity

    @property
    def connections(self) -> int:
        """How many clients of this manager run, besides those that were noted."""
        return self._noted_connections + sum(client.channels_running for client in self._clients)

    def note_connections(self, change: int) -> None:
        """Count clients of others, or count them no more."""
        self._noted_connections += change

    # Clients

    def client(self, **settings: Any) -> AnyClient:
        """Make a client of the kernel, which follows it to its next life.

        :param settings: for the client, over what the manager knows
        """
        self._take_over()
        known = {
            **self.get_connection_info(),
            "connection_file": self.connection_file,
            "kernel_name": self.kernel_name,
            "manager": None if self._kernel is None else self._kernel.manager,
            "parent": self,
        }
        client: AnyClient = self.client_factory(**(known | settings))
        self._clients.add(client)
        return client

    # Callbacks

    def add_restart_callback(
        self, callback: Callable[..., object], event: CallbackEvent = "restart"
    ) -> None:
        """Call a function, without arguments, when something happens to the kernel.

        :param event: ``"restart"`` before it is started again because it has died; ``"dead"`` when
            it has died and is not started again. Also those of :class:`~kernel_mgmt.Kernel`:
            ``"died"``, ``"restarted"`` and ``"failed"``, whose callbacks take the event.
        :raises ValueError: if there is no such event
        """
        self._callbacks.add(callback, event)

    def remove_restart_callback(
        self, callback: Callable[..., object], event: CallbackEvent = "restart"
    ) -> None:
        """Call a function no more; nothing happens if it was not."""
        self._callbacks.remove(callback, event)

    # What a launch is made of

    def format_kernel_cmd(self, extra_arguments: Sequence[str] | None = None) -> list[str]:
        """Return the command of the kernel that runs, or else that of the next launch."""
        manager = None if self._kernel is None else self._kernel.manager
        running: Sequence[str] = getattr(manager, "argv", ())
        if running:
            return [*running, *(extra_arguments or ())]
        return command_of(
            self.kernel_spec,
            self.connection_file,
            self.kernel_id,
            self._keywords.get("launch_params"),
            [*(self._keywords.get("extra_arguments") or ()), *(extra_arguments or ())],
        )

    def update_env(self, *, env: Mapping[str, str]) -> None:
        """Add environment variables for the next start and those after it."""
        self._keywords["env"] = {**(self._keywords.get("env") or {}), **env}
        if self._kernel is not None:
            self._kernel.update_env(env)

    def resolve_path(self, path: str) -> str | None:
        """Return the absolute path of a file that is named from where the kernel works.

        :return: ``None`` if it does not exist
        """
        cwd = fspath(self._keywords.get("cwd") or os.getcwd())
        resolved = os.path.realpath(os.path.join(cwd, os.path.expanduser(path)))
        return resolved if os.path.exists(resolved) else None

    # The connection file

    def write_connection_file(self) -> None:
        """Have a connection file where ``connection_file`` says, or else in the runtime directory.

        The kernel has its own, which this one is a link to.

        :raises KernelStateError: if the kernel was not started yet
        :raises OSError: if it cannot be written
        """
        if not any(self.ports):
            raise self._not_running("write a connection file of")
        if not self.connection_file:
            name = f"kernel-{self.kernel_id or uuid4()}.json"
            self.connection_file = self._wanted_file = os.path.join(jupyter_runtime_dir(), name)
        self._put_connection_file(self.connection_file)

    def cleanup_connection_file(self) -> None:
        """Remove the connection file that was written besides the kernel's own."""
        if self._wanted_file is not None:
            remove_connection_file(self._wanted_file)

    def _take_over(self) -> None:
        """Go on in the event loop that runs, if the one that the kernel was used in has ended."""
        kernel = self._kernel
        if kernel is not None and kernel.manager is not None and kernel.manager is self._followed:
            with suppress(RuntimeError):  # none runs, or the one before does
                kernel.take_over()
                self._connect(kernel)

    def _connect(self, kernel: Kernel) -> None:
        """Take over how the kernel is reached, now and at each further launch."""
        if kernel.client is not self._connected:
            self._connected = kernel.client
            follow = WeakMethod(self._follow)

            def follow_if_there() -> None:
                if (method := follow()) is not None:
                    method()

            kernel.client.add_change_handler(follow_if_there)
        self._follow()

    def _follow(self) -> None:
        kernel = self._kernel
        if kernel is None or kernel.manager is None or kernel.connection_info is None:
            return
        if kernel.manager is self._followed:
            return
        self._followed = kernel.manager
        self.replace_connection_info(kernel.connection_info)
        for client in tuple(self._clients):
            client.follow(kernel.connection_info, kernel.manager)
        if self._wanted_file is not None:
            self._put_connection_file(self._wanted_file)
        else:
            self.connection_file = self._own_file() or ""

    def _put_connection_file(self, path: str) -> None:
        own = self._own_file()
        if own is None or os.path.abspath(path) != own:
            put_connection_file(path, own, self._connection_info())

    def _own_file(self) -> str | None:
        manager = None if self._kernel is None else self._kernel.manager
        path = None if manager is None else manager.describe().get("connection_file")
        return path or None

    def _check_ownership(self, operation: str) -> None:
        if not self.owns_kernel:
            raise KernelStateError(self.kernel_id or "", operation, "owned by another program")

    def _not_running(self, operation: str) -> KernelStateError:
        return KernelStateError(self.kernel_id or self.kernel_name, operation, "not running")

    @property
    def _is_external(self) -> bool:
        return not self.owns_kernel and any(self.ports)

    @property
    def _finder(self) -> KernelFinder:
        return default_finder() if self.kernel_finder is None else self.kernel_finder
