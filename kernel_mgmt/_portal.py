"""The one event-loop thread of the process, for those who call asynchronous functions and block.

It is started at first use, on asyncio; it ends with the interpreter, and a forked child that needs
one starts its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from typing import Any, Generic, TypeVar, TypeVarTuple, cast

import anyio
from anyio.from_thread import BlockingPortal

__all__ = ("call", "is_current_thread", "open_context", "running", "start")

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_SECONDS_TO_STOP = 5.0


def call(
    function: Callable[[*Arguments], Awaitable[T]],
    *args: *Arguments,
    timeout: float | None = None,
) -> T:
    """Call an asynchronous function in the event-loop thread, and wait for its result.

    Whatever interrupts the wait, such as Ctrl-C, cancels the function; what interrupted it is
    raised when the function has cleaned up after itself.

    :param timeout: seconds after which the function is cancelled
    :raises TimeoutError: if the function took longer than ``timeout``
    :raises RuntimeError: if called from the event-loop thread, which it would block for ever, or
        when the interpreter is about to exit
    """

    async def limited() -> T:
        with anyio.fail_after(timeout):
            return await function(*args)

    at_work = _Call(limited)
    with at_work.cancelled_on_interrupt():
        at_work.start()
        wait((at_work.outcome,))
    return at_work.result()


@contextmanager
def open_context(context: AbstractAsyncContextManager[T]) -> Generator[T]:
    """Enter and leave an asynchronous context manager in the event-loop thread.

    One task enters and leaves it, and tells it what the body raised.

    :raises RuntimeError: as :func:`call` does
    """
    entered: Future[T] = Future()
    leave = asyncio.Event()
    errors: list[BaseException] = []

    async def hold() -> None:
        async with context as value:
            entered.set_result(value)
            await leave.wait()
            for error in errors:
                raise error

    held = _Call(hold)
    futures: list[Future[Any]] = [entered, held.outcome]
    with held.cancelled_on_interrupt():
        held.start()
        wait(futures, return_when=FIRST_COMPLETED)
    if not entered.done():
        held.result()
    try:
        yield entered.result()
    except BaseException as error:  # noqa: BLE001 - the context manager decides what becomes of it
        errors.append(error)
    with held.cancelled_on_interrupt():
        held.portal.start_task_soon(leave.set)
        wait((held.outcome,))
    held.result()


@contextmanager
def running(function: Callable[[], Awaitable[T]]) -> Generator[Future[T]]:
    """Run an asynchronous function in the event-loop thread while the body runs.

    A body that raises cancels it; either way it has ended when the block is left.

    :return: the outcome of the function
    :raises RuntimeError: as :func:`call` does
    """
    at_work = _Call(function)
    with at_work.cancelled_on_interrupt():
        at_work.start()
        yield at_work.outcome
        wait((at_work.outcome,))


def start(function: Callable[[], Awaitable[T]]) -> Future[T]:
    """Start an asynchronous function in the event-loop thread, and wait for nothing.

    It is cancelled when the interpreter exits.

    :return: the outcome of the function
    :raises RuntimeError: as :func:`call` does
    """
    at_work = _Call(function)
    at_work.start()
    return at_work.outcome


def is_current_thread() -> bool:
    """Whether the caller runs in the event-loop thread."""
    return _thread is not None and _thread.is_current()


class _Call(Generic[T]):
    """An asynchronous function at work in the event-loop thread."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self.portal = _running_portal()
        self.outcome: Future[T] = Future()
        self._function = function
        self._scope: anyio.CancelScope | None = None

    def start(self) -> None:
        self.portal.start_task_soon(self._run)

    def result(self) -> T:
        try:
            return self.outcome.result()
        finally:
            # The exception refers to this frame: without this, a cycle keeps alive all it names.
            del self

    @contextmanager
    def cancelled_on_interrupt(self) -> Generator[None]:
        try:
            with _interruptible():
                yield
        except BaseException:
            # The interrupt may have come before the portal had taken the task.
            if self.portal.call(self._cancel):
                wait((self.outcome,))
            raise

    def _cancel(self) -> bool:
        if self._scope is None:
            return False
        self._scope.cancel()
        return True

    # No exception may leave the task: it would end all others, and KeyboardInterrupt the loop.
    async def _run(self) -> None:
        try:
            with anyio.CancelScope() as self._scope:
                self.outcome.set_result(await self._function())
        except BaseException as error:
            self.outcome.set_exception(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        if not self.outcome.done():
            self.outcome.set_exception(CancelledError())


class _EventLoopThread:
    """A daemon thread that runs an event loop with a portal to it."""

    def __init__(self) -> None:
        self._running: Future[tuple[BlockingPortal, asyncio.AbstractEventLoop]] = Future()
        self._stopping = asyncio.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="kernel_mgmt", daemon=True)
        self._thread.start()

    def is_current(self) -> bool:
        return self._thread is threading.current_thread()

    def portal(self) -> BlockingPortal:
        if self.is_current():
            raise RuntimeError(
                "A blocking call from the event-loop thread would wait for itself; "
                "await the asynchronous function instead"
            )
        if self._stopped:
            raise RuntimeError("The event-loop thread has ended, as the interpreter exits")
        return self._running.result()[0]

    def stop(self) -> None:
        self._stopped = True
        _, loop = self._running.result()
        # Not through the portal: it waits for the loop, which something may block.
        loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_SECONDS_TO_STOP)

    def _run(self) -> None:
        try:
            anyio.run(self._serve, backend="asyncio")
        except BaseException as error:
            if self._running.done():
                raise
            self._running.set_exception(error)

    async def _serve(self) -> None:
        async with BlockingPortal() as portal:
            self._running.set_result((portal, asyncio.get_running_loop()))
            await self._stopping.wait()
            await portal.stop(cancel_remaining=True)


@contextmanager
def _interruptible() -> Generator[None]:
    """Let Ctrl-C raise KeyboardInterrupt where ``asyncio.run`` would have it cancel the main task.

    That would come about only when the event loop goes on, which the body blocks.
    """
    handler = _handler_of_asyncio()
    if handler is None:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _handler_of_asyncio() -> Callable[..., object] | None:
    if threading.current_thread() is not threading.main_thread():
        return None
    handler = signal.getsignal(signal.SIGINT)
    if not isinstance(handler, partial):
        return None
    cancel = cast("partial[object]", handler)
    return cancel if isinstance(getattr(cancel.func, "__self__", None), asyncio.Runner) else None


_thread: _EventLoopThread | None = None
_starting = threading.Lock()


def _running_portal() -> BlockingPortal:
    global _thread
    with _starting:
        if _thread is None:
            _thread = _EventLoopThread()
    return _thread.portal()


def _forget() -> None:
    global _thread, _starting
    _thread = None
    _starting = threading.Lock()


def _stop() -> None:
    if _thread is not None:
        _thread.stop()


atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
