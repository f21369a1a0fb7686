"""The one place that knows asyncio from trio."""

from __future__ import annotations

import logging
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    import trio

log = logging.getLogger(__name__)

_ELSEWHERE = "a kernel or its client is used in the event loop of its first use only"

_spawned: set[asyncio.Task[None]] = set()

Drain = Callable[[], float | None]
"""Reads what is there within a budget; tells when to look again: after so many seconds, of which 0 is
at once, or with ``None`` when the descriptor tells."""


class Reading(ABC):
    """The reading of some descriptors."""

    @abstractmethod
    def look(self, descriptor: int) -> None:
        """Look soon at a descriptor that was to be looked at after some time."""

    @abstractmethod
    def stop(self) -> None:
        """Read no more."""


class EventLoop(ABC):
    """What a client needs of the event loop that it is used in."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._thread = threading.get_ident()

    @property
    def is_inherited(self) -> bool:
        """Whether it is the loop of another process, which this one was forked from."""
        return os.getpid() != self._process

    @property
    def is_running_here(self) -> bool:
        """Whether the caller runs in this loop."""
        try:
            self.check()
        except RuntimeError:
            return False
        return True

    def check_thread(self) -> None:
        """Make sure that the caller runs in the thread of this loop, whether or not in the loop.

        :raises RuntimeError: if it runs in another thread
        """
        if threading.get_ident() != self._thread:
            raise RuntimeError(_ELSEWHERE)

    @abstractmethod
    def check(self) -> None:
        """Make sure that the caller runs in this loop.

        :raises RuntimeError: if it runs in another loop or thread
        """

    @abstractmethod
    def call_soon(self, callback: Callable[[], object]) -> None:
        """Call back from the loop, soon."""

    @abstractmethod
    def call_from_anywhere(self, callback: Callable[[], object]) -> None:
        """Call back from the loop, soon, on the demand of any thread; at once if the loop is over."""

    @abstractmethod
    def read(
        self,
        drains: Mapping[int, Drain],
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> Reading:
        """Call the drain of each descriptor when it becomes readable.

        :param drains: the descriptors and what reads them
        :param ended: called if the loop ends before the reading was stopped
        :param watch: a coroutine function that is run beside, and cancelled when the reading stops
        """

    @abstractmethod
    def spawn(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine function in a task of its own, at most until the end of the run.

        :param function: raises nothing but the cancellation at the end of the run
        """

    @abstractmethod
    async def wait(self, waiters: list[Callable[[], None]], timeout: float | None) -> bool:
        """Wait until what is put into ``waiters`` is called.

        :param timeout: in seconds
        :return: whether it was called in time
        """


def current_event_loop() -> EventLoop:
    """Return the event loop that the caller runs in.

    :raises RuntimeError: if there is none
    """
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return TrioLoop(trio.lowlevel.current_trio_token())
    import asyncio

    return AsyncioLoop(asyncio.get_running_loop())


class AsyncioLoop(EventLoop):
    """The seam to asyncio, and to loops that stand in for it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        super().__init__()
        self._asyncio = asyncio
        self._loop = loop

    def check(self) -> None:
        try:
            if self._asyncio.get_running_loop() is self._loop:
                return
        except RuntimeError:
            pass
        raise RuntimeError(_ELSEWHERE)

    def call_soon(self, callback: Callable[[], object]) -> None:
        self._loop.call_soon(callback)

    def call_from_anywhere(self, callback: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed
            callback()

    def read(
        self,
        drains: Mapping[int, Drain],
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> Reading:
        return _AsyncioReading(self._loop, drains, ended, watch)

    def spawn(self, function: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await function()

        task = self._loop.create_task(run())
        # The loop itself holds its tasks weakly.
        _spawned.add(task)
        task.add_done_callback(_spawned.discard)

    async def wait(self, waiters: list[Callable[[], None]], timeout: float | None) -> bool:
        future: asyncio.Future[bool] = self._loop.create_future()

        def settle(value: bool) -> None:
            if not future.done():
                future.set_result(value)

        def called() -> None:
            settle(True)

        timer = None if timeout is None else self._loop.call_later(timeout, settle, False)
        waiters.append(called)
        try:
            return await future
        finally:
            waiters.remove(called)
            if timer is not None:
                timer.cancel()


class _AsyncioReading(Reading):
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        drains: Mapping[int, Drain],
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self._loop = loop
        self._drains = drains
        self._stopped = False
        self._resting: dict[int, asyncio.TimerHandle] = {}
        self._rests_until: dict[int, float] = {}
        self._tasks = [loop.create_task(self._stay(ended, watch))]
        for descriptor in drains:
            try:
                loop.add_reader(descriptor, self._wake, descriptor)
            except NotImplementedError:  # the proactor loop of Windows
                self._tasks.append(loop.create_task(self._pump(descriptor)))
            # What came before the reader did has consumed the edge of the descriptor.
            loop.call_soon(self._drain, descriptor)

    def look(self, descriptor: int) -> None:
        self._rests_until.pop(descriptor, None)
        if descriptor in self._resting:
            self._loop.call_soon(self._drain, descriptor)

    def stop(self) -> None:
        self._stopped = True
        if self._loop.is_closed():
            return
        for timer in self._resting.values():
            timer.cancel()
        if len(self._tasks) == 1:
            for descriptor in self._drains.keys() - self._resting.keys():
                self._loop.remove_reader(descriptor)
        for task in self._tasks:
            task.cancel()

    def _wake(self, descriptor: int) -> None:
        """Drain what has become readable, unless it is to rest."""
        until = self._rests_until.pop(descriptor, 0)
        if until > self._loop.time():
            self._loop.remove_reader(descriptor)
            self._resting[descriptor] = self._loop.call_at(until, self._drain, descriptor)
        else:
            self._drain(descriptor)

    def _drain(self, descriptor: int) -> None:
        pause = None if self._stopped else self._drains[descriptor]()
        if self._stopped:
            return
        if pause == 0:
            self._loop.call_soon(self._drain, descriptor)
        elif descriptor in self._resting:
            self._go_on_resting(descriptor, pause)
        elif pause is not None:
            # The rest begins when something comes: that is cheaper where nothing does.
            self._rests_until[descriptor] = self._loop.time() + pause

    def _go_on_resting(self, descriptor: int, pause: float | None) -> None:
        self._resting.pop(descriptor).cancel()
        if pause is None:
            self._loop.add_reader(descriptor, self._wake, descriptor)
        else:
            self._resting[descriptor] = self._loop.call_later(pause, self._drain, descriptor)

    async def _pump(self, descriptor: int) -> None:
        from anyio import wait_readable

        while True:
            await wait_readable(descriptor)
            self._drain(descriptor)

    async def _stay(self, ended: Callable[[], None], watch: Callable[[], Awaitable[None]]) -> None:
        try:
            await watch()
            await self._loop.create_future()
        except Exception:
            log.exception("the reader of a kernel client failed")
        finally:
            if not self._stopped:
                ended()


class TrioLoop(EventLoop):
    """The seam to trio."""

    def __init__(self, token: trio.lowlevel.TrioToken) -> None:
        import trio

        super().__init__()
        self._trio = trio
        self._token = token

    def check(self) -> None:
        if threading.get_ident() == self._thread:
            try:
                if self._trio.lowlevel.current_trio_token() is self._token:
                    return
            except RuntimeError:
                pass
        raise RuntimeError(_ELSEWHERE)

    def call_soon(self, callback: Callable[[], object]) -> None:
        self._token.run_sync_soon(callback)

    def call_from_anywhere(self, callback: Callable[[], object]) -> None:
        try:
            self._token.run_sync_soon(callback)
        except self._trio.RunFinishedError:
            callback()

    def read(
        self,
        drains: Mapping[int, Drain],
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> Reading:
        return _TrioReading(drains, ended, watch)

    def spawn(self, function: Callable[[], Awaitable[None]]) -> None:
        self._trio.lowlevel.spawn_system_task(function)

    async def wait(self, waiters: list[Callable[[], None]], timeout: float | None) -> bool:
        event = self._trio.Event()
        waiters.append(event.set)
        try:
            if timeout is None:
                await event.wait()
            else:
                with self._trio.move_on_after(timeout):
                    await event.wait()
        finally:
            waiters.remove(event.set)
        return event.is_set()


class _TrioReading(Reading):
    def __init__(
        self,
        drains: Mapping[int, Drain],
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        import trio

        self._trio = trio
        self._drains = drains
        self._scope = trio.CancelScope()
        self._stopped = False
        self._resting: dict[int, trio.Event] = {}
        trio.lowlevel.spawn_system_task(self._stay, ended, watch)

    def look(self, descriptor: int) -> None:
        if descriptor in self._resting:
            self._resting[descriptor].set()

    def stop(self) -> None:
        self._stopped = True
        self._scope.cancel()
        for descriptor in self._drains:
            self._trio.lowlevel.notify_closing(descriptor)

    async def _pump(self, descriptor: int, drain: Drain) -> None:
        trio = self._trio
        rested = False
        while True:
            pause = drain()
            if pause == 0:
                await trio.lowlevel.checkpoint()
                continue
            until = trio.current_time() + (pause or 0)
            resting = self._resting[descriptor] = trio.Event()
            # The rest begins when something comes, unless there has been a rest already.
            if pause is None or not rested:
                await trio.lowlevel.wait_readable(descriptor)
            rested = pause is not None and not resting.is_set()
            if rested:
                with trio.move_on_at(until):
                    await resting.wait()

    async def _stay(self, ended: Callable[[], None], watch: Callable[[], Awaitable[None]]) -> None:
        trio = self._trio
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for descriptor, drain in self._drains.items():
                        nursery.start_soon(self._pump, descriptor, drain)
                    await watch()
        except BaseException as exception:
            # Nothing may escape a system task but the cancellation at the end of the run.
            if not self._stopped:
                ended()
            rest = _without(exception, trio.Cancelled)
            if rest is None:
                raise
            if not self._stopped:
                log.error("the reader of a kernel client failed", exc_info=rest)


def _without(exception: BaseException, kind: type[BaseException]) -> BaseException | None:
    """What is left of an exception, or a group of them, without those of a kind."""
    return BaseExceptionGroup("", [exception]).split(kind)[1]
