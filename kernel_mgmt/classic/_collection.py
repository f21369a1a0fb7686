"""Many kernels by their ids: what both classic managers of many kernels have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import wraps
from importlib import import_module
from os import PathLike, fspath
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack, cast
from uuid import uuid4
from weakref import WeakSet

from kernel_mgmt.exceptions import DuplicateKernelError, KernelStateError
from kernel_mgmt.transports.zmq import zmq_context

from ._culling import USUAL_INTERVAL
from ._external import ExternalKernels
from ._names import NATIVE_KERNEL_NAME
from ._operations import KernelOperations
from ._settings import check_keywords

if TYPE_CHECKING:
    import zmq

    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import JSONDict

    from ._callbacks import CallbackEvent
    from ._settings import Socket

__all__ = ("KernelCollection", "MultiSettings", "kernel_method")

Manager = TypeVar("Manager", bound=KernelOperations[Any])
Method = TypeVar("Method", bound=Callable[..., Any])


class MultiSettings(TypedDict, total=False):
    """What may be told when a manager of many kernels is made.

    :ivar default_kernel_name: the kernel type for those who name none
    :ivar kernel_manager_class: makes the managers: a class, or its dotted name
    :ivar kernel_manager_factory: makes them in its place
    :ivar kernel_finder: where kernel types are looked up; by default, all installed providers
    :ivar autorestart: whether kernels are started again when they have died
    :ivar connection_dir: where connection files are wanted, besides the runtime directory
    :ivar external_connection_dir: where the connection files of other programs' kernels appear
    :ivar cull_idle_timeout: after how many seconds without output a kernel is ended; never when 0
    :ivar cull_interval: how often to look for such kernels, in seconds
    :ivar cull_busy: whether one that is busy may be ended, too
    :ivar cull_connected: whether one that has clients may be ended, too
    :ivar now: returns the time, for the culling
    :ivar shared_context: ignored: all of a process share its context, as with ``context``
    :ivar parent: who made the manager
    """

    default_kernel_name: str
    kernel_manager_class: str | type[Any]
    kernel_manager_factory: Callable[..., Any]
    kernel_finder: KernelFinder | None
    autorestart: bool
    connection_dir: str | PathLike[str]
    external_connection_dir: str | PathLike[str] | None
    cull_idle_timeout: float
    cull_interval: float
    cull_busy: bool
    cull_connected: bool
    now: Callable[[], datetime]
    shared_context: bool
    context: object
    parent: object


def _now() -> datetime:
    return datetime.now(UTC)


def kernel_method(f: Method) -> Method:
    """Have a method of a manager of many kernels call that of one kernel with the same name.

    Its first argument is the id of the kernel, and the others are handed on. The body of the method
    is called when that has been done, for such as logging; what the kernel's method returned is
    returned.
    """

    @wraps(f)
    def call(self: Any, kernel_id: str, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self.get_kernel(kernel_id), f.__name__)(*args, **kwargs)
        f(self, kernel_id, *args, **kwargs)
        return result

    return cast("Method", call)


class KernelCollection(Generic[Manager]):
    """Kernels by their ids, each with a manager of its own.

    :ivar default_kernel_name: the kernel type for those who name none
    :ivar kernel_manager_factory: makes the managers
    :ivar cull_idle_timeout: when kernels are ended that nobody uses; it and its like may be changed
    """

    kernel_manager_class: str | type[Any]
    shared_context = True

    def __init__(self, **settings: Unpack[MultiSettings]) -> None:
        check_keywords(type(self).__name__, settings, MultiSettings.__annotations__)
        self.default_kernel_name = settings.get("default_kernel_name", NATIVE_KERNEL_NAME)
        self.kernel_manager_class = settings.get("kernel_manager_class", self.kernel_manager_class)
        self.kernel_manager_factory = settings.get("kernel_manager_factory", self._make_manager)
        self.kernel_finder = settings.get("kernel_finder")
        self.autorestart = settings.get("autorestart", True)
        self.connection_dir = fspath(settings.get("connection_dir", ""))
        self.parent = settings.get("parent")
        self.cull_idle_timeout = settings.get("cull_idle_timeout", 0)
        self.cull_interval = settings.get("cull_interval", USUAL_INTERVAL)
        self.cull_busy = settings.get("cull_busy", False)
        self.cull_connected = settings.get("cull_connected", False)
        self.now = settings.get("now", _now)
        directory = settings.get("external_connection_dir")
        self._external = None if directory is None else ExternalKernels(directory)
        self._external_dir = directory
        self._kernels: dict[str, Manager] = {}
        self._starting: dict[str, Manager] = {}
        self._reserving = Lock()
        # Those that were to be ended, maybe before their start had begun.
        self._unwanted: WeakSet[Manager] = WeakSet()

    @property
    def context(self) -> zmq.Context[zmq.Socket[bytes]]:
        """The ZeroMQ context, which all of the process share."""
        return zmq_context()

    @property
    def external_connection_dir(self) -> str | None:
        """Where the connection files of other programs' kernels appear."""
        return None if self._external_dir is None else fspath(self._external_dir)

    # Which kernels there are

    def list_kernel_ids(self) -> list[str]:
        """Return the ids of the kernels; those of other programs are taken up and let go of."""
        if self._external is not None:
            for kernel_id in self._external.forget_those_gone():
                self._kernels.pop(kernel_id, None)
            for path, info in self._external.find_new(self._own_files(self._external_dir or "")):
                self._adopt(self._external, path, info)
        return list(self._kernels)

    def __len__(self) -> int:
        return len(self.list_kernel_ids())

    def __contains__(self, kernel_id: object) -> bool:
        return kernel_id in self._kernels

    def get_kernel(self, kernel_id: str) -> Manager:
        """Return the manager of a kernel.

        :raises KeyError: if there is no kernel of this id
        """
        try:
            return self._kernels[kernel_id]
        except KeyError:
            raise KeyError(f"Kernel with id not found: {kernel_id}") from None

    def remove_kernel(self, kernel_id: str) -> Manager | None:
        """Forget a kernel, which is left as it is, and return its manager, if it was known."""
        return self._kernels.pop(kernel_id, None)

    def new_kernel_id(self, **keywords: object) -> str:
        """Return an id for a kernel; to be overridden by those who have ids of their own.

        :param keywords: what the kernel is started with
        """
        return str(uuid4())

    def pre_start_kernel(
        self, kernel_name: str | None, kwargs: dict[str, Any]
    ) -> tuple[Manager, str, str]:
        """Make the manager of a kernel that is to be started.

        :param kwargs: what it is started with; the ``kernel_id`` is taken out
        :return: the manager, the name of the kernel type, and the id
        :raises DuplicateKernelError: if there is a kernel of this id
        """
        kernel_id: str = kwargs.pop("kernel_id", None) or self.new_kernel_id(**kwargs)
        if kernel_id in self._kernels or kernel_id in self._starting:
            raise DuplicateKernelError(kernel_id)
        kernel_name = kernel_name or self.default_kernel_name
        settings: dict[str, Any] = {"autorestart": self.autorestart}
        if self.kernel_finder is not None:
            settings["kernel_finder"] = self.kernel_finder
        if self.connection_dir:
            name = f"kernel-{kernel_id}.json"
            settings["connection_file"] = os.path.join(self.connection_dir, name)
        manager: Manager = self.kernel_manager_factory(
            kernel_name=kernel_name, parent=self, **settings
        )
        return manager, kernel_name, kernel_id

    # What is done with one of them

    def get_connection_info(self, kernel_id: str) -> JSONDict:
        """Return how a kernel is reached."""
        return self.get_kernel(kernel_id).get_connection_info()

    def connect_shell(self, kernel_id: str, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to shell; the caller closes it, as those of the others."""
        return self.get_kernel(kernel_id).connect_shell(identity)

    def connect_iopub(self, kernel_id: str, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to iopub, and subscribes to everything."""
        return self.get_kernel(kernel_id).connect_iopub(identity)

    def connect_stdin(self, kernel_id: str, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to stdin."""
        return self.get_kernel(kernel_id).connect_stdin(identity)

    def connect_control(self, kernel_id: str, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to control."""
        return self.get_kernel(kernel_id).connect_control(identity)

    def connect_hb(self, kernel_id: str, identity: bytes | None = None) -> Socket:
        """Return a socket (REQ) that is connected to the heartbeat."""
        return self.get_kernel(kernel_id).connect_hb(identity)

    def add_restart_callback(
        self, kernel_id: str, callback: Callable[..., object], event: CallbackEvent = "restart"
    ) -> None:
        """Call a function when something happens to a kernel, as its manager does."""
        self.get_kernel(kernel_id).add_restart_callback(callback, event)

    def remove_restart_callback(
        self, kernel_id: str, callback: Callable[..., object], event: CallbackEvent = "restart"
    ) -> None:
        """Call a function no more; nothing happens if it was not."""
        self.get_kernel(kernel_id).remove_restart_callback(callback, event)

    def update_env(self, *, kernel_id: str, env: Mapping[str, str]) -> None:
        """Add environment variables for the next start of a kernel; nothing if it is not known."""
        if kernel_id in self._kernels:
            self._kernels[kernel_id].update_env(env=env)

    def notify_connect(self, kernel_id: str) -> None:
        """Count a client that is not made by the manager of a kernel, for the culling."""
        self.get_kernel(kernel_id).note_connections(+1)

    def notify_disconnect(self, kernel_id: str) -> None:
        """Count such a client no more; nothing happens if the kernel is not known."""
        if kernel_id in self._kernels:
            self._kernels[kernel_id].note_connections(-1)

    def _reserve(self, kernel_id: str, manager: Manager) -> None:
        with self._reserving:
            if kernel_id in self._kernels or kernel_id in self._starting:
                raise DuplicateKernelError(kernel_id)
            self._starting[kernel_id] = manager

    def _check_wanted(self, kernel_id: str, manager: Manager) -> None:
        if manager in self._unwanted:
            error = KernelStateError(kernel_id, "start", "stopping")
            manager.ready.set_exception(error)
            raise error

    def _keep(self, kernel_id: str, manager: Manager) -> None:
        """List a kernel that is ready, unless somebody has ended it in the meantime."""
        self._kernels[kernel_id] = manager
        if manager in self._unwanted:
            self._kernels.pop(kernel_id, None)
            raise KernelStateError(kernel_id, "start", "stopping")

    def _managers(self) -> dict[str, Manager]:
        return dict(self._kernels)

    def _find(self, kernel_id: str) -> Manager:
        """The manager of a kernel, also of one that is being started."""
        return self._starting.get(kernel_id) or self.get_kernel(kernel_id)

    def _make_manager(self, **settings: Any) -> Manager:
        kind = self.kernel_manager_class
        if isinstance(kind, str):
            module, _, name = kind.rpartition(".")
            kind = cast("type[Any]", getattr(import_module(module), name))
        manager: Manager = kind(**settings)
        return manager

    def _own_files(self, directory: str | PathLike[str]) -> set[str]:
        """Where in a directory the connection files of our own kernels would be."""
        ids = [*self._starting, *(id for id, km in self._kernels.items() if km.owns_kernel)]
        return {os.path.abspath(os.path.join(directory, f"kernel-{id}.json")) for id in ids}

    def _adopt(self, external: ExternalKernels, path: str, info: Mapping[str, Any]) -> None:
        kernel_id = self.new_kernel_id()
        manager: Manager = self.kernel_manager_factory(
            kernel_name=info["kernel_name"], parent=self, owns_kernel=False, connection_file=path
        )
        manager.load_connection_info(info)
        manager.kernel_id = kernel_id
        manager.ready.set_result(None)
        self._kernels[kernel_id] = manager
        external.remember(path, kernel_id)
