"""What Ctrl-C does: once interrupts the kernel, twice ends it."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic
from typing import TYPE_CHECKING, cast

import anyio

from kernel_mgmt.exceptions import KernelManagementError

from ._terminal import say

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient

__all__ = ("Interrupts", "interruptible", "one_exception")

# Two that are further apart both interrupt (seconds).
_TWICE_WITHIN = 5.0
# How long after the first it is told what a second one does (seconds).
_HINT_AFTER = 1.0


@asynccontextmanager
async def interruptible(
    manager: KernelManagerABC | None, client: KernelClient
) -> AsyncGenerator[Interrupts]:
    """Interrupt the kernel at the first Ctrl-C in the block, and leave the block at the second.

    :param manager: the kernel's, if it is this program's; the client knows how it is interrupted
    :raises KeyboardInterrupt: in the task of the block, at a Ctrl-C that follows another within
        five seconds
    """
    interrupts = Interrupts(client)
    # What a shell has started in the background is not meant by Ctrl-C.
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    heard = () if ignored else (signal.SIGINT,)
    with _handler_kept(), one_exception(), anyio.open_signal_receiver(*heard) as signals:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(interrupts.listen, signals, tasks)
            yield interrupts
            tasks.cancel_scope.cancel()
    if interrupts.twice:
        raise KeyboardInterrupt


class Interrupts:
    """What Ctrl-C has done in the block.

    :ivar once: whether the kernel has been interrupted
    :ivar twice: whether the block was left
    """

    def __init__(self, client: KernelClient) -> None:
        self._client = client
        self.once = False
        self.twice = False

    async def listen(
        self, signals: AsyncIterator[signal.Signals], tasks: anyio.abc.TaskGroup
    ) -> None:
        """Act on each signal; at the second, cancel the group."""
        last: float | None = None
        async for _ in signals:
            now = monotonic()
            if last is not None and now - last < _TWICE_WITHIN:
                self.twice = True
                tasks.cancel_scope.cancel()
                return
            last = now
            self.once = True
            tasks.start_soon(self._interrupt)
            tasks.start_soon(self._hint)

    async def _interrupt(self) -> None:
        try:
            await self._client.interrupt()
        except KernelManagementError as error:
            say(str(error))

    async def _hint(self) -> None:
        await anyio.sleep(_HINT_AFTER)
        say("The kernel has been interrupted, and goes on; Ctrl-C again gives it up")


@contextmanager
def one_exception() -> Generator[None]:
    """Raise what the block has raised, in place of the group that a task group makes of it."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = cast("BaseException", group.exceptions[0])
        raise first from first.__cause__


@contextmanager
def _handler_kept() -> Generator[None]:
    """Put the handler of SIGINT back in the end, which an event loop does not."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
