"""The operations on one kernel, one after the other, each in a task that its callers only wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Future
from threading import Lock
from typing import Literal, TypeAlias

from kernel_mgmt.exceptions import KernelStateError

__all__ = ("Operation", "OperationName", "Operations", "wait_for")

OperationName: TypeAlias = Literal["start", "restart", "shutdown"]


class Operation:
    """One start, restart or shutdown.

    :ivar ended: done when it has ended, in whatever thread it is waited for
    :ivar task: the task that does it
    :ivar waiting: how many callers wait for it
    :ivar is_cancelled: whether nobody waited for it any more
    """

    def __init__(self, kernel_id: str, name: OperationName) -> None:
        self.name: OperationName = name
        self.ended: Future[None] = Future()
        self.task: asyncio.Task[None] | None = None
        self.waiting = 0
        self.is_cancelled = False
        self._kernel_id = kernel_id

    @property
    def is_mine(self) -> bool:
        """Whether the caller is a part of it."""
        return self.task is not None and self.task is _current_task()

    def begin(self, before: Iterable[Operation], work: Callable[[], Awaitable[None]]) -> None:
        """Have a task do the work, when all operations before it have ended."""
        # The last one may be cancelled while it waits for those before itself.
        ahead = tuple(before)

        async def work_in_turn() -> None:
            for operation in ahead:
                await wait_for(operation)
            await work()

        self.task = asyncio.create_task(work_in_turn())
        # A task that is cancelled before its first step runs none of its own code.
        self.task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Cancel the task, on the demand of any thread; what it has to clean up goes on."""
        if self.task is not None and not self.is_cancelled:
            self.is_cancelled = True
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)

    def call_at_end(self, function: Callable[[], None]) -> None:
        """Call a function when it has ended; only the event loop of the task may ask for it."""
        assert self.task is not None
        self.task.add_done_callback(lambda _: function())

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.ended.set_exception(KernelStateError(self._kernel_id, self.name, "cancelled"))
        elif (error := task.exception()) is not None:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)


class Operations:
    """What is done to one kernel and what is still to be done, for callers of any thread and loop.

    A call that asks for what is under way joins it. A kernel that is being shut down is not started
    or restarted.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._queue: list[Operation] = []

    @property
    def is_mine(self) -> bool:
        """Whether the caller is a part of the operation under way."""
        return any(operation.is_mine for operation in tuple(self._queue))

    @property
    def under_way(self) -> Operation | None:
        """The operation that ends last, if there is one."""
        queue = tuple(self._queue)
        return queue[-1] if queue else None

    def begin(
        self, kernel_id: str, name: OperationName, work: Callable[[], Awaitable[None]]
    ) -> tuple[Operation, bool]:
        """Begin an operation in the event loop of the caller, or join the one under way.

        :return: the operation, and whether it is a new one
        :raises KernelStateError: if the kernel is being shut down, and this is no shutdown
        """
        with self._lock:
            before = tuple(self._queue)
            last = before[-1] if before else None
            if last is not None and last.name == name and not last.is_cancelled:
                return last, False
            if last is not None and last.name == "shutdown":
                raise KernelStateError(kernel_id, name, "stopping")
            operation = Operation(kernel_id, name)
            self._queue.append(operation)
        operation.ended.add_done_callback(lambda _: self._queue.remove(operation))
        operation.begin(before, work)
        return operation, True

    def check_wanted(self, kernel_id: str) -> None:
        """Make sure that no shutdown waits for what the caller does.

        :raises KernelStateError: if one does
        """
        last = self.under_way
        if last is not None and last.name == "shutdown" and not last.is_mine:
            raise KernelStateError(kernel_id, "restart", "stopping")


async def wait_for(operation: Operation) -> None:
    """Wait until an operation has ended, however it does; it goes on if the caller is cancelled."""
    await asyncio.wait([asyncio.wrap_future(_listener(operation))])


def _listener(operation: Operation) -> Future[None]:
    # One for each caller, since the cancellation of a wrapped future reaches what it wraps.
    listener: Future[None] = Future()

    def tell(_: Future[None]) -> None:
        if listener.set_running_or_notify_cancel():
            listener.set_result(None)

    operation.ended.add_done_callback(tell)
    return listener


def _current_task() -> asyncio.Task[None] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return None
