"""Functions at work in tasks of their own, which those who wait for them can leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel

from ._backend import current_event_loop

__all__ = ("BackgroundTask",)

T = TypeVar("T")


class BackgroundTask(Generic[T]):
    """An asynchronous function at work in a task of its own.

    It ends with the function, when it is cancelled, or at the end of the run of its event loop.
    Where it is cancelled before the function has begun, that does not begin. Several tasks may wait
    for it; one that is cancelled while it waits disturbs nobody.

    :ivar done: whether it has ended
    """

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self.done = False
        self._function: Callable[[], Awaitable[T]] | None = function
        self._loop = current_event_loop()
        self._scope = anyio.CancelScope()
        self._waiters: list[Callable[[], None]] = []
        self._values: list[T] = []
        self._error: Exception = RuntimeError("The event loop has ended before its task")
        self._loop.spawn(self._run)

    def check(self) -> None:
        """Make sure that the caller runs in the event loop of the task.

        :raises RuntimeError: if it runs in another loop or thread
        """
        self._loop.check()

    def cancel(self, error: Exception) -> None:
        """Cancel the function; what it has to clean up goes on.

        :param error: what is raised for those who wait for the result
        """
        if not self.done:
            self._error = error
            self._scope.cancel()

    def cancel_from_anywhere(self, error: Exception) -> None:
        """Cancel the function, on the demand of any thread."""
        self._loop.call_from_anywhere(lambda: self.cancel(error))

    async def ended(self) -> None:
        """Wait until the task has ended, however it does."""
        while not self.done:
            await self._loop.wait(self._waiters, None)

    async def result(self) -> T:
        """Wait for what the function returns, or raise what it raises."""
        await self.ended()
        if self._values:
            return self._values[0]
        try:
            raise self._error
        finally:
            # The exception refers to this frame: without this, a cycle keeps alive all it names.
            del self

    async def _run(self) -> None:
        assert self._function is not None
        try:
            with self._scope:
                await anyio.lowlevel.checkpoint_if_cancelled()
                self._values.append(await self._function())
        except Exception as error:  # noqa: BLE001 - `result` raises it
            if not self._scope.cancel_called:
                self._error = error
        finally:
            self.done = True
            self._function = None
            for waiter in tuple(self._waiters):
                waiter()
