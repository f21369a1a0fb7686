"""Cancel what is awaited at one of its waits, on any event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")


class CancelledAtWait(Generic[T]):
    """Awaits something, and cancels it when it waits for the time of a number.

    :ivar reached: whether it has waited so often
    :ivar results: the result, if there was one nevertheless
    """

    def __init__(self, number: int) -> None:
        """Take note of the wait to cancel; the first has the number 0."""
        self.reached = False
        self.results: list[T] = []
        self._number = number

    async def run(self, awaitable: Awaitable[T]) -> None:
        """Await something until its end or its cancellation."""
        with anyio.CancelScope() as scope:
            self.results.append(await _Watched(awaitable, partial(self._count, scope)))

    def _count(self, scope: anyio.CancelScope, number: int) -> None:
        if number == self._number:
            self.reached = True
            scope.cancel()


class _Watched(Generic[T]):
    """Awaits, and calls a function with the number of each wait as it begins."""

    def __init__(self, awaitable: Awaitable[T], waits: Callable[[int], object]) -> None:
        self._awaitable = awaitable
        self._waits = waits

    def __await__(self) -> Generator[Any, Any, T]:
        steps: Any = self._awaitable.__await__()
        step = partial(steps.send, None)
        number = 0
        while True:
            try:
                waited_for = step()
            except StopIteration as stop:
                result: T = stop.value
                return result
            self._waits(number)
            number += 1
            try:
                step = partial(steps.send, (yield waited_for))
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # noqa: BLE001 - handed on to what waits
                step = partial(steps.throw, error)
