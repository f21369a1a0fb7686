"""The process of a kernel, by each of the ways to learn of its end."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import TypeAlias

import anyio
import pytest
from anyio.to_thread import current_default_thread_limiter

from kernel_mgmt.types import ExitStatus
from kernel_mgmt_subprocess._exit_watch import ExitWatch, PidfdWatch, ThreadWatch, watch_exit
from kernel_mgmt_subprocess._process import KernelProcess

pytestmark = pytest.mark.anyio

WatchExit: TypeAlias = Callable[[Popen[bytes]], ExitWatch]


def watch_by_pidfd(popen: Popen[bytes]) -> ExitWatch:
    """Watch by a pidfd, where there are any."""
    if not hasattr(os, "pidfd_open"):
        pytest.skip("only Linux has pidfds")
    return PidfdWatch(popen.pid)


@pytest.fixture(params=[watch_by_pidfd, ThreadWatch])
def start(request: pytest.FixtureRequest) -> Callable[[str], KernelProcess]:
    """Start a script as a process, watched in each of the ways."""

    def start_script(script: str) -> KernelProcess:
        popen = Popen([sys.executable, "-S", "-c", script], start_new_session=True)
        return KernelProcess(popen, "no-such-id", None, [], watch_exit=request.param)

    return start_script


async def test_the_end_is_noticed(start: Callable[[str], KernelProcess]) -> None:
    process = start("raise SystemExit(3)")
    with anyio.fail_after(20):
        await process.wait()

    assert process.exit_status == ExitStatus(code=3)
    assert process.has_ended()


async def test_many_may_wait_and_one_may_give_up(start: Callable[[str], KernelProcess]) -> None:
    process = start("import time; time.sleep(60)")
    had_ended = True
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.wait)
            tasks.start_soon(process.wait)
            with anyio.move_on_after(0.01):
                await process.wait()
            had_ended = process.has_ended()
            process.kill()

    assert not had_ended
    assert process.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_the_end_is_noticed_though_all_worker_threads_are_busy(
    start: Callable[[str], KernelProcess],
) -> None:
    process = start("")
    threads = current_default_thread_limiter()
    for _ in range(int(threads.total_tokens)):
        threads.acquire_on_behalf_of_nowait(object())
    with anyio.fail_after(20):
        await process.wait()

    assert process.exit_status == ExitStatus(code=0)


async def test_the_end_that_somebody_else_has_seen_is_noticed(
    start: Callable[[str], KernelProcess],
) -> None:
    process = start("")
    os.waitpid(process.pid, 0)
    with anyio.fail_after(20):
        await process.wait()

    assert process.exit_status == ExitStatus()


async def test_threads_may_look_and_signal_at_once(start: Callable[[str], KernelProcess]) -> None:
    process = start("import time; time.sleep(60)")

    def look_and_kill() -> None:
        while not process.has_ended():
            process.kill()
            process.release_ports()

    threads = [threading.Thread(target=look_and_kill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert process.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_ports_are_let_go_at_the_end(runtime_dir: Path) -> None:
    holder = socket.socket()
    process = KernelProcess(Popen([sys.executable, "-c", ""]), "no-such-id", None, [holder])
    held = holder.fileno() >= 0
    with anyio.fail_after(20):
        await process.wait()

    assert held
    assert holder.fileno() == -1


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux has pidfds")
async def test_a_pidfd_is_taken_where_there_are_any() -> None:
    popen = Popen([sys.executable, "-c", ""])
    watch = watch_exit(popen)
    watch.close()
    popen.wait()

    assert isinstance(watch, PidfdWatch)


async def test_a_thread_takes_over_where_a_pidfd_cannot_be_had() -> None:
    popen = Popen([sys.executable, "-c", ""])
    popen.wait()
    watch = watch_exit(popen)
    watch.close()

    assert isinstance(watch, ThreadWatch)
