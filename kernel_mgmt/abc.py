"""The contracts: what a provider, a launcher, a kernel manager and a transport promise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

if TYPE_CHECKING:
    from .types import (
        Channel,
        ConnectionInfo,
        ExitStatus,
        JSONDict,
        KernelAttributes,
        LaunchOptions,
        LaunchParams,
        Problem,
    )

    FoundKernels: TypeAlias = (
        Iterator[tuple[str, KernelAttributes]] | AsyncIterator[tuple[str, KernelAttributes]]
    )
    Buffer: TypeAlias = bytes | bytearray | memoryview
    Received: TypeAlias = Callable[[Channel, Sequence[Buffer]], None]
    Undelivered: TypeAlias = Callable[[Sequence[Buffer], Callable[[], Exception]], None]

__all__ = ("KernelLauncherABC", "KernelManagerABC", "KernelProviderBase", "TransportABC")


class KernelProviderBase(ABC):
    """Finds kernel types and launches them.

    A subclass is registered under the entry-point group ``kernel_mgmt.kernel_type_providers``, by
    its :attr:`id`. It is made without arguments.

    A provider that can answer for one kernel type without a listing also has a method
    ``get_kernel(name)``, plain or a coroutine function, which returns its attributes or raises
    :exc:`NoSuchKernelError` or :exc:`KernelSpecError`.

    A provider whose kernel types have files, such as logos, that are not in a directory of this
    machine tells their paths in the attribute ``resources``, and has an asynchronous method
    ``get_resource(name, path)``, which returns the content of one, or ``None`` if there is none.

    A provider that keeps what it has found for longer than a listing, such as on disk, also has a
    method ``refresh()``, which forgets it. It is called in a thread, before the next listing.

    A provider that can tell how it would launch a kernel type also has a method
    ``plan_launch(name, options=None)``, which returns a :class:`~kernel_mgmt.types.LaunchPlan`.

    A provider that can take hold of a kernel which another process launched through it also has an
    asynchronous method ``reattach(record)``, which takes a :class:`~kernel_mgmt.records.KernelRecord`
    and returns the manager, or raises :exc:`KernelDiedError` or :exc:`ReattachError`.

    :cvar id: the first part of the names of its kernel types; matches ``[a-z0-9._-]+``
    """

    id: ClassVar[str]

    def load_config(self, config: Mapping[str, Any] | None = None) -> None:
        """Take configuration; called once, before anything else.

        :param config: this provider's section of the configuration, or ``None`` if there is none
        """

    @abstractmethod
    def find_kernels(self) -> FoundKernels:
        """Yield the name and the attributes of each kernel type.

        The names are those within the provider: ``python3``, not ``spec/python3``. May be a
        generator, or an asynchronous one: that runs on asyncio, in an event loop of its own.
        """

    @property
    def problems(self) -> Sequence[Problem]:
        """What the last listing could not list, and why; optional."""
        return ()

    @abstractmethod
    async def launch(
        self,
        name: str,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC | None]:
        """Launch a kernel of the type ``name``, which is one that ``find_kernels`` yields.

        It returns when the process is on its way; the kernel may not answer yet. When it raises or
        is cancelled, nothing is left behind.

        :param cwd: the working directory of the kernel
        :param launch_params: values for the kernel's own launch parameters, already validated
        :param options: what is asked of the framework; a provider that takes none may leave it out
        :raises NoSuchKernelError: if there is no such kernel type
        :raises KernelLaunchError: if the kernel cannot be started
        """


class KernelLauncherABC(ABC):
    """Starts one kernel."""

    @abstractmethod
    async def launch(self) -> tuple[ConnectionInfo, KernelManagerABC]:
        """Start the kernel; a launch that raises or is cancelled leaves nothing behind.

        :raises KernelLaunchError: if the kernel cannot be started
        """


class KernelManagerABC(ABC):
    """Holds one launched kernel.

    Every method is safe on a kernel that has ended, when called twice, and from several tasks. A
    manager is bound to no event loop.

    :ivar kernel_id: the id of the kernel, unique among all
    :ivar interrupt_mode: ``"message"`` if the kernel is interrupted by an ``interrupt_request``
        (messaging spec 5.3), ``"signal"``, or ``"unsupported"`` if neither interrupts it
    :ivar asked_to_end: whether this program has asked the kernel to end, so that its end is no crash
    :ivar connection_info: how to reach the kernel
    """

    kernel_id: str
    interrupt_mode: str = "signal"
    asked_to_end: bool = False
    connection_info: ConnectionInfo

    @abstractmethod
    async def is_alive(self) -> bool:
        """Whether the kernel runs."""

    @abstractmethod
    async def wait(self) -> bool:
        """Wait until the kernel has ended.

        :return: ``False``: the kernel no longer runs
        """

    @abstractmethod
    async def signal(self, signum: int) -> None:
        """Send a signal to the kernel and its children; nothing happens if it has ended."""

    @abstractmethod
    async def interrupt(self) -> None:
        """Interrupt what the kernel is doing, by a signal or what stands for it.

        :raises InterruptUnsupportedError: if that would have no effect, or would end the kernel
        """

    @abstractmethod
    async def kill(self) -> None:
        """End the kernel and its children at once, and wait until it has ended.

        It sets :attr:`asked_to_end`, so that no restarter takes this for a crash.
        """

    async def terminate(self) -> None:
        """Ask the kernel and its children to end (SIGTERM, or what stands for it); does not wait."""
        from signal import SIGTERM

        self.asked_to_end = True
        await self.signal(SIGTERM)

    async def cleanup(self) -> None:
        """Release what was kept for the kernel: files, sockets, descriptors.

        The kernel must have ended. Calling it again does nothing.
        """

    async def kernel_ready(self) -> None:
        """Take note that the kernel has answered; a client calls this."""

    def make_transport(
        self,
        *,
        session: str,
        starting: bool = False,
        heartbeat: bool = False,
        allow_unsigned: bool = False,
    ) -> TransportABC | None:
        """Make a transport to the kernel, for what the connection info cannot tell.

        A client asks for one before it looks at the connection info. The arguments are those of
        :func:`kernel_mgmt.transports.make_transport`.

        :return: ``None`` if the connection info tells everything
        """
        return None

    def describe(self) -> JSONDict:
        """Return what another process needs to take hold of the kernel, as JSON can hold it.

        It has no secrets. It is empty if no other process can.
        """
        return {}

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the kernel ended; ``None`` while it runs."""
        return None


class TransportABC(ABC):
    """Carries messages between a client and a kernel.

    A message is a sequence of byte strings: header, parent header, metadata, content, and any
    number of binary buffers. A transport adds and removes what its wire needs besides.

    :ivar dropped: how often something came that was no message, or was not signed as it should be
    :ivar undelivered: set by whoever opens it, if a transport is to tell of a message that was sent
        and may be lost: called with its parts, and with what makes the error to tell of it
    """

    dropped: int = 0
    undelivered: Undelivered | None = None

    @abstractmethod
    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        """Connect, and begin to read on the running event loop.

        :param received: called with the channel and the parts of each message that arrives
        :param ended: called if nothing can be received any more before :meth:`close`: the event
            loop has ended, or there is a :attr:`failure`
        :param watch: a coroutine function that is run beside the reading, and cancelled with it
        """

    @abstractmethod
    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        """Send a message, without waiting.

        :raises ClientClosedError: if the transport is not open
        """

    def gather(self, gathers: bool) -> None:
        """Say whether what is published may come together, some milliseconds late.

        What comes after quiet, and what comes on other channels than iopub, is never late; neither is
        what is there when this is called with ``False``.
        """

    def discard(self) -> None:
        """Send nothing of what still waits to be sent: it was meant for a kernel that is no more."""

    @property
    def connected(self) -> bool:
        """Whether the kernel can reach the client on every channel, as far as can be told."""
        return True

    @property
    def failure(self) -> Callable[[], Exception] | None:
        """Makes the error that keeps the kernel out of reach for good; ``None`` without one."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Close at once; nothing is received after it. Calling it again does nothing."""

    def abort(self) -> None:
        """Close at once, as :meth:`close`, and let nothing that is on its way reach another kernel."""
        self.close()
