"""Ends that others ask for by a signal, with time to save what there is."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio

from ._interrupt import one_exception

__all__ = ("Terminated", "ended_by_signal", "terminable")


class Terminated(Exception):
    """Raised when the command was asked to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"asked to end by {signal.Signals(signum).name}")
        self.signum = signum


@asynccontextmanager
async def terminable() -> AsyncGenerator[None]:
    """Cancel the block at SIGTERM or SIGHUP, unless they are ignored, as under ``nohup``.

    :raises Terminated: when the block has cleaned up
    """
    ends = [signal.SIGTERM, *([] if os.name == "nt" else [signal.SIGHUP])]
    heard = [signum for signum in ends if signal.getsignal(signum) is not signal.SIG_IGN]
    asked: list[int] = []
    with one_exception(), anyio.open_signal_receiver(*heard) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_listen, signals, asked, tasks.cancel_scope)
            yield
            tasks.cancel_scope.cancel()
    if asked:
        raise Terminated(asked[0])


@contextmanager
def ended_by_signal() -> Generator[None]:
    """End this process as the signal would have that the block was ended by, for its sender to see."""
    try:
        yield
    except Terminated as error:
        signal.signal(error.signum, signal.SIG_DFL)
        os.kill(os.getpid(), error.signum)
        raise


async def _listen(
    signals: AsyncIterator[signal.Signals], asked: list[int], scope: anyio.CancelScope
) -> None:
    async for signum in signals:
        asked.append(signum)
        scope.cancel()
