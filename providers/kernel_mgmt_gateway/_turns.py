"""Turns that are taken one after the other, in whatever event loops."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio

from kernel_mgmt._backend import current_event_loop

__all__ = ("Turns",)


class Turns:
    """A lock for asynchronous code that is bound to no event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        self._waiting: deque[Callable[[], object]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until it is the caller's turn, which ends with the block."""
        await self._take()
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self) -> None:
        loop, granted = current_event_loop(), anyio.Event()

        def grant() -> None:
            loop.call_from_anywhere(granted.set)

        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            self._waiting.append(grant)
        try:
            await granted.wait()
        except BaseException:
            self._give_up(grant)
            raise

    def _give_up(self, grant: Callable[[], object]) -> None:
        with self._lock:
            if grant in self._waiting:
                self._waiting.remove(grant)
                return
        self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            if not self._waiting:
                self._is_taken = False
                return
            grant = self._waiting.popleft()
        grant()
