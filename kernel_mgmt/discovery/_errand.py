"""Functions of strangers, on threads that nobody need wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class Errand(Generic[T]):
    """A function that runs on a daemon thread of its own.

    When it hangs, it holds up neither who waits for it with a time limit nor the exit of the
    interpreter.
    """

    def __init__(self, function: Callable[[], T], name: str) -> None:
        self._function = function
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._ended = threading.Event()
        self._when_ended: Callable[[], object] | None = None
        self._value: list[T] = []
        self._error: BaseException | None = None
        self._started = 0.0

    @property
    def ended(self) -> bool:
        """Whether the function has returned or raised."""
        return self._ended.is_set()

    @property
    def age(self) -> float:
        """How long ago the function was started, in seconds."""
        return monotonic() - self._started

    def start(self, when_ended: Callable[[], object] | None = None) -> None:
        """Start the thread.

        :param when_ended: called in the thread when the function has ended
        """
        self._when_ended = when_ended
        self._started = monotonic()
        self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Wait for the function to end.

        :param timeout: in seconds
        :return: whether it has ended
        """
        return self._ended.wait(timeout)

    async def run(self) -> T:
        """Start the thread, wait for the function to end, and return what it has returned.

        The wait may be cancelled; the function goes on then.
        """
        from functools import partial

        import anyio

        from kernel_mgmt._backend import current_event_loop

        ended = anyio.Event()
        self.start(partial(current_event_loop().call_from_anywhere, ended.set))
        await ended.wait()
        return self.result()

    def result(self) -> T:
        """Return what the function has returned, or raise what it has raised."""
        if self._error is not None:
            raise self._error
        return self._value[0]

    def _run(self) -> None:
        try:
            self._value.append(self._function())
        except BaseException as error:  # noqa: BLE001 - `result` raises it
            self._error = error
        self._ended.set()
        if self._when_ended is not None:
            self._when_ended()
