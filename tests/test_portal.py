"""The event-loop thread for blocking calls."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
import pytest
from anyio.lowlevel import checkpoint

from kernel_mgmt._portal import call, open_context

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="pthread_kill is POSIX's")


async def running_thread() -> threading.Thread:
    return threading.current_thread()


def interrupt_main_thread() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def run_script(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_call_runs_in_the_same_daemon_thread() -> None:
    first = call(running_thread)
    second = call(running_thread)

    assert first is second
    assert first.daemon
    assert first is not threading.current_thread()


def test_a_call_passes_arguments_and_returns_the_result() -> None:
    async def add(left: int, right: int) -> int:
        await checkpoint()
        return left + right

    assert call(add, 40, 2) == 42


def test_a_call_raises_what_the_function_raises() -> None:
    async def fail() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        call(fail)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exit_raised_by_a_function_leaves_the_thread_running(error: type[BaseException]) -> None:
    async def fail() -> None:
        raise error

    thread = call(running_thread)
    with pytest.raises(error):
        call(fail)

    assert call(running_thread) is thread


def test_a_timeout_cancels_the_function() -> None:
    cleaned_up: list[bool] = []

    async def hang() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cleaned_up.append(True)

    with pytest.raises(TimeoutError):
        call(hang, timeout=0.01)

    assert cleaned_up == [True]


def test_a_blocking_call_from_the_thread_itself_is_refused() -> None:
    async def call_again() -> None:
        call(running_thread)

    with pytest.raises(RuntimeError, match="would wait for itself"):
        call(call_again)


@pytest.mark.anyio
async def test_a_call_works_inside_a_running_loop() -> None:
    assert call(running_thread) is not threading.current_thread()


@needs_signals
def test_ctrl_c_cancels_the_call_and_waits_for_its_cleanup() -> None:
    cleaned_up: list[bool] = []

    async def hang() -> None:
        interrupt_main_thread()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
            cleaned_up.append(True)

    with pytest.raises(KeyboardInterrupt):
        call(hang)

    assert cleaned_up == [True]


@needs_signals
def test_ctrl_c_cancels_a_call_inside_asyncio_run_and_then_does_as_before() -> None:
    handlers: list[object] = []

    async def hang() -> None:
        interrupt_main_thread()
        await anyio.sleep_forever()

    async def main() -> None:
        handlers.append(signal.getsignal(signal.SIGINT))
        try:
            call(hang, timeout=30)
        finally:
            handlers.append(signal.getsignal(signal.SIGINT))

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())

    assert handlers[0] is not signal.default_int_handler
    assert handlers[0] == handlers[1]


@asynccontextmanager
async def recording(log: list[str]) -> AsyncGenerator[str]:
    log.append("entered")
    try:
        yield "value"
    except BaseException as error:
        log.append(type(error).__name__)
        raise
    finally:
        log.append("left")


def test_a_context_is_entered_and_left_in_the_thread() -> None:
    log: list[str] = []

    with open_context(recording(log)) as value:
        log.append(value)

    assert log == ["entered", "value", "left"]


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, SystemExit])
def test_a_context_is_told_what_the_body_raised(error: type[BaseException]) -> None:
    log: list[str] = []
    expected = error("from the body")

    with pytest.raises(error) as raised, open_context(recording(log)):
        raise expected

    assert raised.value is expected
    assert log == ["entered", error.__name__, "left"]


def test_a_context_may_swallow_what_the_body_raised() -> None:
    @asynccontextmanager
    async def forgiving() -> AsyncGenerator[None]:
        with suppress(LookupError):
            yield

    with open_context(forgiving()):
        raise LookupError


def test_a_context_that_cannot_be_entered_raises() -> None:
    @asynccontextmanager
    async def broken() -> AsyncGenerator[None]:
        raise LookupError("no entry")
        yield

    with pytest.raises(LookupError, match="no entry"), open_context(broken()):
        raise AssertionError("the body does not run")


def test_a_context_may_use_a_task_group() -> None:
    @asynccontextmanager
    async def failing_in_the_background() -> AsyncGenerator[None]:
        async def fail() -> None:
            raise LookupError("in the background")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail)
            yield

    with pytest.raises(ExceptionGroup) as raised, open_context(failing_in_the_background()):
        call(anyio.wait_all_tasks_blocked)

    assert raised.group_contains(LookupError, match="in the background")


@needs_signals
def test_ctrl_c_while_a_context_is_entered_leaves_it() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def slow() -> AsyncGenerator[None]:
        async with recording(log):
            interrupt_main_thread()
            await anyio.sleep_forever()
            yield

    with pytest.raises(KeyboardInterrupt), open_context(slow()):
        raise AssertionError("the body does not run")

    assert log == ["entered", "CancelledError", "left"]


def test_the_thread_cleans_up_and_ends_with_the_interpreter() -> None:
    output = run_script(
        """
import threading
import anyio
from kernel_mgmt._portal import call

started = threading.Event()

async def serve():
    started.set()
    try:
        await anyio.sleep_forever()
    finally:
        print("cleaned up")

threading.Thread(target=lambda: call(serve), daemon=True).start()
started.wait()
threading.excepthook = lambda *_: None
"""
    )

    assert output == "cleaned up\n"


def test_a_call_after_the_thread_has_ended_is_refused() -> None:
    output = run_script(
        """
import atexit

def call_late():
    try:
        call(checkpoint)
    except RuntimeError as error:
        print(error)

atexit.register(call_late)
from anyio.lowlevel import checkpoint
from kernel_mgmt._portal import call
call(checkpoint)
"""
    )

    assert output == "The event-loop thread has ended, as the interpreter exits\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_child_starts_a_thread_of_its_own() -> None:
    output = run_script(
        """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from kernel_mgmt._portal import call

async def is_alive():
    return threading.current_thread().is_alive()

call(is_alive)
child = os.fork()
if child == 0:
    print(call(is_alive), flush=True)
    sys.exit()
sys.exit(os.waitpid(child, 0)[1])
"""
    )

    assert output == "True\n"
