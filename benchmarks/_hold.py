"""How long an event loop is kept from its other work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter

import anyio
import anyio.lowlevel
import sniffio

TICK = 0.001
# Everything that runs on an asyncio loop, task steps included, goes through this method.
RUN = "_run"


class Hold:
    """The longest hold of a loop.

    :ivar step: the longest callback or task step, in seconds: exact, but blind to a thread that
        keeps the interpreter lock
    :ivar gap: how late a task that only sleeps was woken at worst, in seconds: it sees everything,
        the scheduling of a busy machine included
    """

    def __init__(self) -> None:
        self.step = 0.0
        self.gap = 0.0

    async def tick(self) -> None:
        """Sleep, again and again."""
        before = perf_counter()
        while True:
            await anyio.sleep(TICK)
            now = perf_counter()
            self.gap = max(self.gap, now - before - TICK)
            before = now


@asynccontextmanager
async def watched_loop() -> AsyncGenerator[Hold]:
    """Watch the running loop as long as the block lasts."""
    hold = Hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold.tick)
        await anyio.sleep(TICK)
        steps = _asyncio_steps if sniffio.current_async_library() == "asyncio" else _trio_steps
        with steps(hold):
            # The step that is under way began before it could be watched.
            await anyio.lowlevel.checkpoint()
            yield hold
        tasks.cancel_scope.cancel()


@contextmanager
def _asyncio_steps(hold: Hold) -> Generator[None]:
    original: Callable[[asyncio.Handle], None] = getattr(asyncio.Handle, RUN)

    def run(handle: asyncio.Handle) -> None:
        started = perf_counter()
        original(handle)
        hold.step = max(hold.step, perf_counter() - started)

    setattr(asyncio.Handle, RUN, run)
    try:
        yield
    finally:
        setattr(asyncio.Handle, RUN, original)


@contextmanager
def _trio_steps(hold: Hold) -> Generator[None]:
    import trio

    started = perf_counter()

    class Steps(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal started
            started = perf_counter()

        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            hold.step = max(hold.step, perf_counter() - started)

    instrument = Steps()
    trio.lowlevel.add_instrument(instrument)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(instrument)
