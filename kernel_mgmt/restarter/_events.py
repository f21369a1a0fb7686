"""What a restarter tells, by callbacks and by iteration."""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast, get_args
from weakref import WeakSet

import anyio

from kernel_mgmt._backend import current_event_loop
from kernel_mgmt._background import BackgroundTask

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo, ExitStatus

RestartEventName: TypeAlias = Literal["died", "restarted", "failed"]

log = logging.getLogger(__name__)

# How long the coroutines of callbacks may go on when the work is done (seconds).
_FINISH_MOST = 5.0


class DiedEvent(TypedDict):
    """The kernel has ended, and it was not the restarter that ended it.

    ``manager`` is that of the kernel that ended. ``restarting`` tells whether it is started again,
    ``restart_count`` how many attempts there were in quick succession so far.
    """

    event: Literal["died"]
    kernel_id: str
    restart_count: int
    exit_status: ExitStatus | None
    manager: KernelManagerABC
    restarting: bool


class RestartedEvent(TypedDict):
    """A kernel was started in the place of the one before, and is ready.

    ``auto`` tells whether nobody had asked for it, and ``new_ports`` whether it listens elsewhere
    than the one before, so that clients have to be moved.
    """

    event: Literal["restarted"]
    kernel_id: str
    restart_count: int
    auto: bool
    connection_info: ConnectionInfo
    manager: KernelManagerABC
    new_ports: bool


class FailedEvent(TypedDict):
    """The kernel has ended, or could not be started, as often as it is tried; this comes last.

    ``exit_status`` is that of the last kernel. ``error`` tells why the last attempt failed; it is
    ``None`` if that had succeeded and the kernel died again.
    """

    event: Literal["failed"]
    kernel_id: str
    restart_count: int
    exit_status: ExitStatus | None
    error: Exception | None


RestartEvent: TypeAlias = DiedEvent | RestartedEvent | FailedEvent
RestartCallback: TypeAlias = Callable[[Any], object]


class RestartEvents:
    """The callbacks for the events of a restarter, and the streams of them.

    A callback that raises is logged. A plain function is called at once. What a coroutine function
    does is awaited in a task of its own, one after the other, and nothing waits for it.
    """

    def __init__(self) -> None:
        self._callbacks: list[tuple[RestartEventName, RestartCallback]] = []
        self._streams: WeakSet[RestartEventStream] = WeakSet()
        self._unfinished: deque[Awaitable[object]] = deque()
        self._finisher: BackgroundTask[None] | None = None

    def add_callback(self, callback: RestartCallback, event: RestartEventName) -> None:
        if event not in get_args(RestartEventName):
            raise ValueError(f"there is no event {event!r}; use died, restarted or failed")
        self._callbacks = [*self._callbacks, (event, callback)]

    def remove_callback(self, callback: RestartCallback, event: RestartEventName) -> None:
        kept = [known for known in self._callbacks if known != (event, callback)]
        self._callbacks = kept

    def fire(self, event: RestartEvent) -> None:
        for name, callback in self._callbacks:
            if name == event["event"]:
                self._call(callback, event)
        for stream in tuple(self._streams):
            stream.put(event)

    def stream(self) -> RestartEventStream:
        stream = RestartEventStream()
        self._streams.add(stream)
        return stream

    def end_streams(self) -> None:
        """End the iterations, when they have yielded what has been told so far."""
        for stream in tuple(self._streams):
            stream.end()
        self._streams.clear()

    async def finish(self) -> None:
        """Wait until the coroutines of the callbacks have ended; cancel them if they take long."""
        finisher = self._finisher
        if finisher is None:
            return
        with anyio.move_on_after(_FINISH_MOST, shield=True):
            await finisher.ended()
        finisher.cancel(TimeoutError())
        with anyio.CancelScope(shield=True):
            await finisher.ended()

    def _call(self, callback: RestartCallback, event: RestartEvent) -> None:
        try:
            result = callback(event)
        except Exception:
            log.exception("a callback for the event %r failed", event["event"])
            return
        if inspect.isawaitable(result):
            self._unfinished.append(cast("Awaitable[object]", result))
            if self._finisher is None or self._finisher.done:
                self._finisher = BackgroundTask(self._finish)

    async def _finish(self) -> None:
        try:
            while self._unfinished:
                try:
                    await self._unfinished.popleft()
                except Exception:
                    log.exception("a callback of a restarter failed")
        finally:
            # At the end of the run; a coroutine that is never awaited would warn.
            while self._unfinished:
                close = getattr(self._unfinished.popleft(), "close", None)
                if close is not None:
                    close()


class RestartEventStream(AsyncIterator[RestartEvent]):
    """Iterates over what is told from its making on; it may be left at any time."""

    def __init__(self) -> None:
        self._events: deque[RestartEvent] = deque()
        self._waiters: list[Callable[[], None]] = []
        self._ended = False

    def put(self, event: RestartEvent) -> None:
        self._events.append(event)
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    async def __anext__(self) -> RestartEvent:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            await current_event_loop().wait(self._waiters, None)
        return self._events.popleft()

    def _wake(self) -> None:
        for waiter in tuple(self._waiters):
            waiter()
