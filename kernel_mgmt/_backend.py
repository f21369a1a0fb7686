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

Drain = Callable[[], bool]
"""Reads what is there within a budget; tells whether there is more."""


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
    ) -> Callable[[], None]:
        """Call the drain of each descriptor when it becomes readable.

        :param drains: the descriptors and what reads them
        :param ended: called if the loop ends before the reading was stopped
        :param watch: a coroutine function that is run beside, and cancelled when the reading stops
        :return: a function that stops the reading
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
    ) -> Callable[[], None]:
        loop = self._loop
        stopped = False

        def wake(drain: Drain) -> None:
            if not stopped and drain():
                loop.call_soon(wake, drain)

        async def pump(descriptor: int, drain: Drain) -> None:
            from anyio import wait_readable

            while True:
                await wait_readable(descriptor)
                wake(drain)

        async def stay() -> None:
            try:
                await watch()
                await loop.create_future()
            except Exception:
                log.exception("the reader of a kernel client failed")
            finally:
                if not stopped:
                    ended()

        tasks = [loop.create_task(stay())]
        for descriptor, drain in drains.items():
            try:
                loop.add_reader(descriptor, wake, drain)
            except NotImplementedError:  # the proactor loop of Windows
                tasks.append(loop.create_task(pump(descriptor, drain)))
            # What came before the reader did has consumed the edge of the descriptor.
            loop.call_soon(wake, drain)

        def stop() -> None:
            nonlocal stopped
            stopped = True
            if loop.is_closed():
                return
            for descriptor in drains:
                if len(tasks) == 1:
                    loop.remove_reader(descriptor)
            for task in tasks:
                task.cancel()

        return stop

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
    ) -> Callable[[], None]:
        trio = self._trio
        scope = trio.CancelScope()
        stopped = False

        async def pump(descriptor: int, drain: Drain) -> None:
            while True:
                while drain():
                    await trio.lowlevel.checkpoint()
                await trio.lowlevel.wait_readable(descriptor)

        async def stay() -> None:
            try:
                with scope:
                    async with trio.open_nursery() as nursery:
                        for descriptor, drain in drains.items():
                            nursery.start_soon(pump, descriptor, drain)
                        await watch()
            except BaseException as exception:
                # Nothing may escape a system task but the cancellation at the end of the run.
                if not stopped:
                    ended()
                rest = _without(exception, trio.Cancelled)
                if rest is None:
                    raise
                if not stopped:
                    log.error("the reader of a kernel client failed", exc_info=rest)

        trio.lowlevel.spawn_system_task(stay)

        def stop() -> None:
            nonlocal stopped
            stopped = True
            scope.cancel()
            for descriptor in drains:
                trio.lowlevel.notify_closing(descriptor)

        return stop

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


def _without(exception: BaseException, kind: type[BaseException]) -> BaseException | None:
    """What is left of an exception, or a group of them, without those of a kind."""
    return BaseExceptionGroup("", [exception]).split(kind)[1]
