"""The manager of a child process: its end, its signals, and what goes with it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import CompletedProcess, Popen, run
from typing import TypeAlias

import anyio
import pytest

from kernel_mgmt.types import ExitStatus, LaunchOptions
from kernel_mgmt_subprocess import KernelManager, SubprocessKernelLauncher
from kernel_mgmt_subprocess._carriers import find_carriers

pytestmark = pytest.mark.anyio

Launch: TypeAlias = Callable[..., Awaitable[KernelManager]]

SLEEP = "import time; time.sleep(60)"
REPORT = """
import os, signal, subprocess, sys, time
def report(word):
    with open('words', 'a') as words: words.write(word + '\\n')
"""
CHILD = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
CHILD_IN_ITS_OWN_SESSION = CHILD.replace(")'])", ")'], start_new_session=True)")

if sys.platform != "linux":
    pytest.skip("reads the processes from Linux' /proc", allow_module_level=True)


@pytest.fixture
def launch(runtime_dir: Path, tmp_path: Path) -> Launch:
    """Launch a script as a kernel; it finds ``report(word)`` for :func:`reported`."""

    async def launch_script(script: str, kernel_id: str | None = None) -> KernelManager:
        argv = [sys.executable, "-S", "-c", REPORT + script]
        options = LaunchOptions(kernel_id=kernel_id)
        launcher = SubprocessKernelLauncher(
            argv, cwd=tmp_path, options=options, runtime_dir=runtime_dir
        )
        return (await launcher.launch())[1]

    return launch_script


async def reported(word: str, directory: Path) -> None:
    """Return when the script has reported the word."""
    with anyio.fail_after(20):
        while word not in _lines_of(directory / "words"):
            await anyio.sleep(0.001)


async def ended(manager: KernelManager) -> ExitStatus:
    """Wait for the end, clean up, and return how the kernel ended."""
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()
    assert manager.exit_status is not None
    return manager.exit_status


async def gone(kernel_id: str) -> None:
    """Return when no process carries the id of the kernel."""
    with anyio.fail_after(20):
        while list(find_carriers(kernel_id)):
            await anyio.sleep(0.001)


def sending(signum: int) -> Callable[[KernelManager], Awaitable[None]]:
    """What sends a signal to a kernel."""

    async def send(manager: KernelManager) -> None:
        await manager.signal(signum)

    return send


@pytest.mark.parametrize(
    ("end", "asked"),
    [
        (KernelManager.kill, True),
        (KernelManager.terminate, True),
        (sending(signal.SIGTERM), False),
        (sending(signal.SIGKILL), False),
    ],
    ids=["kill", "terminate", "SIGTERM", "SIGKILL"],
)
async def test_an_end_that_was_asked_for_is_told_from_a_signal(
    end: Callable[[KernelManager], Awaitable[None]], asked: bool, launch: Launch
) -> None:
    manager = await launch(SLEEP)
    before = manager.asked_to_end
    await end(manager)
    await ended(manager)

    assert not before
    assert manager.asked_to_end is asked


async def test_wait_returns_false_when_the_kernel_has_exited(
    launch: Launch,
) -> None:
    manager = await launch("print('out', flush=True); sys.exit('err')")
    with anyio.fail_after(20):
        waited = await manager.wait()
    again = await manager.wait()
    await manager.cleanup()

    assert (waited, again) == (False, False)
    assert manager.exit_status == ExitStatus(code=1, tail="out\nerr")


async def test_the_exit_status_names_the_signal(launch: Launch) -> None:
    manager = await launch(SLEEP)
    await manager.signal(signal.SIGUSR1)

    assert await ended(manager) == ExitStatus(signal=signal.SIGUSR1)


async def test_the_exit_status_has_the_last_lines_only(
    launch: Launch,
) -> None:
    many = await launch("for n in range(1000): print(n)")
    long = await launch("print('é' * 10000)")
    many_status, long_status = await ended(many), await ended(long)

    assert many_status.tail.split("\n") == [str(n) for n in range(980, 1000)]
    assert 4000 < len(long_status.tail.encode()) <= 4100


async def test_is_alive_until_the_kernel_has_exited(
    launch: Launch,
) -> None:
    manager = await launch(SLEEP)
    before = (await manager.is_alive(), manager.exit_status)
    await manager.kill()
    after = await manager.is_alive()
    await manager.cleanup()

    assert before == (True, None)
    assert after is False


async def test_is_alive_sees_the_end_though_nobody_waits(
    launch: Launch,
) -> None:
    manager = await launch("")
    with anyio.fail_after(20):
        while await manager.is_alive():
            await anyio.sleep(0.001)
    await manager.cleanup()

    assert manager.exit_status == ExitStatus(code=0)


async def test_many_may_wait_at_once_and_one_may_give_up(
    launch: Launch,
) -> None:
    manager = await launch(SLEEP)
    returned: list[bool] = []
    still_waiting = False

    async def wait() -> None:
        returned.append(await manager.wait())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
        with anyio.move_on_after(0.01):
            await manager.wait()
        still_waiting = len(returned) == 0
        await manager.kill()
    await manager.cleanup()

    assert still_waiting
    assert returned == [False] * 3


def test_a_manager_serves_one_event_loop_after_the_other(
    launch: Launch,
) -> None:
    manager = anyio.run(launch, SLEEP)

    async def give_up_waiting() -> None:
        with anyio.move_on_after(0.01):
            await manager.wait()

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(give_up_waiting, backend=backend)
    anyio.run(manager.kill, backend="trio")
    anyio.run(manager.cleanup, backend="asyncio")

    assert manager.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_a_dead_kernel_can_be_asked_for_anything_any_number_of_times(
    launch: Launch,
) -> None:
    manager = await launch("")
    status = await ended(manager)
    for _ in range(2):
        await manager.signal(signal.SIGUSR1)
        await manager.interrupt()
        await manager.terminate()
        await manager.kill()
        await manager.kernel_ready()
        await manager.wait()
        await manager.cleanup()

    assert manager.exit_status is status
    assert not await manager.is_alive()


async def test_a_kernel_that_has_died_unseen_can_be_killed(launch: Launch, tmp_path: Path) -> None:
    manager = await launch("report('end')")
    await reported("end", tmp_path)
    await manager.signal(signal.SIGCONT)
    await manager.kill()
    await manager.cleanup()

    assert manager.exit_status is not None


async def test_two_tasks_may_kill_one_kernel(launch: Launch) -> None:
    manager = await launch(SLEEP)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(manager.kill)
        tasks.start_soon(manager.kill)
    await manager.cleanup()

    assert manager.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_interrupt_reaches_the_kernel_and_its_children(
    launch: Launch, tmp_path: Path
) -> None:
    wait_for_sigint = """
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
def tell(name):
    report(name + ' waits'); signal.sigwait([signal.SIGINT]); report(name + ' interrupted')
if os.fork() == 0: tell('child')
else: tell('kernel'); os.wait()
"""
    manager = await launch(wait_for_sigint)
    await reported("kernel waits", tmp_path)
    await reported("child waits", tmp_path)
    await manager.interrupt()

    assert (await ended(manager)).code == 0
    await reported("kernel interrupted", tmp_path)
    await reported("child interrupted", tmp_path)


async def test_terminate_asks_and_does_not_wait(launch: Launch, tmp_path: Path) -> None:
    manager = await launch(
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); report('waits');"
        "signal.sigwait([signal.SIGTERM]); report('asked'); signal.sigwait([signal.SIGTERM])"
    )
    await reported("waits", tmp_path)
    await manager.terminate()
    await reported("asked", tmp_path)
    alive = await manager.is_alive()
    await manager.terminate()

    assert alive
    assert (await ended(manager)).code == 0


@pytest.mark.parametrize("child", [CHILD, CHILD_IN_ITS_OWN_SESSION])
async def test_kill_ends_the_children_too(launch: Launch, tmp_path: Path, child: str) -> None:
    manager = await launch(f"{child}; report('begun'); {SLEEP}")
    await reported("begun", tmp_path)
    await manager.kill()
    await manager.cleanup()

    await gone(manager.kernel_id)


@pytest.mark.parametrize("child", [CHILD, CHILD_IN_ITS_OWN_SESSION])
async def test_children_do_not_outlive_a_kernel_that_exits(launch: Launch, child: str) -> None:
    manager = await launch(child)
    await ended(manager)

    await gone(manager.kernel_id)


async def test_a_child_in_the_group_need_not_carry_the_id(launch: Launch, tmp_path: Path) -> None:
    without_environment = CHILD.replace(")'])", ")'], env={})")
    manager = await launch(f"report(str({without_environment}.pid))")
    await ended(manager)
    child = int(_lines_of(tmp_path / "words")[0])

    with anyio.fail_after(20):
        while _runs(child):
            await anyio.sleep(0.001)


async def test_the_end_of_a_kernel_leaves_others_alone(launch: Launch, kernel_id: str) -> None:
    first, second = await launch(SLEEP, kernel_id), await launch(SLEEP, f"{kernel_id}b")
    await first.kill()
    second_is_alive = await second.is_alive()
    await second.kill()
    await first.cleanup()
    await second.cleanup()

    assert second_is_alive
    assert second.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_cleanup_of_a_running_kernel_lets_it_run(launch: Launch, runtime_dir: Path) -> None:
    manager = await launch(SLEEP)
    await manager.cleanup()
    files, alive = os.listdir(runtime_dir), await manager.is_alive()
    await manager.kill()

    assert files == []
    assert alive
    assert manager.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_cleanup_removes_what_was_added(launch: Launch, tmp_path: Path) -> None:
    manager = await launch(SLEEP)
    added = tmp_path / "added"
    added.write_text("")
    manager.add_files([str(added)])
    await manager.kill()
    await manager.cleanup()

    assert not added.exists()


def test_a_manager_that_is_dropped_while_its_kernel_runs_warns(runtime_dir: Path) -> None:
    drop = """
print(manager.kernel_id)
manager = None
"""

    result = _run(drop, runtime_dir)

    # Popen warns as well.
    assert f"KernelManager {result.stdout.strip()}" in result.stderr
    assert "was dropped while its kernel runs" in result.stderr


@pytest.mark.parametrize("holder", ["os", "threading.current_thread()", "warnings", "sys"])
def test_a_manager_that_the_end_of_the_interpreter_drops_raises_nothing(
    holder: str, runtime_dir: Path
) -> None:
    hold = f"""
import threading, warnings
{holder}.manager = manager
manager = None
"""

    assert "Exception ignored" not in _run(hold, runtime_dir).stderr


async def test_a_manager_that_is_dropped_after_the_end_reaps_and_does_not_warn(
    launch: Launch,
) -> None:
    managers = [await launch("")]
    pid = managers[0].pid
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    await managers[0].cleanup()
    _drop(managers)

    with pytest.raises(ChildProcessError):
        os.waitpid(pid, 0)


async def test_a_kernel_that_somebody_else_reaped_has_an_unknown_code(
    launch: Launch,
) -> None:
    manager = await launch("")
    os.waitpid(manager.pid, 0)

    assert await ended(manager) == ExitStatus()


async def test_a_process_without_a_session_of_its_own_is_signalled_alone() -> None:
    popen = Popen([sys.executable, "-c", SLEEP])
    manager = KernelManager(popen)
    await manager.kill()
    await manager.cleanup()

    assert manager.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_a_process_that_its_maker_waited_for_has_its_code() -> None:
    popen = Popen([sys.executable, "-c", "raise SystemExit(3)"])
    manager = KernelManager(popen)
    popen.wait()

    assert await ended(manager) == ExitStatus(code=3)


async def test_what_the_manager_is_told_is_kept(kernel_id: str) -> None:
    popen = Popen([sys.executable, "-c", ""])
    manager = KernelManager(
        popen,
        connection_info={"transport": "tcp"},
        kernel_id=kernel_id,
        interrupt_mode="message",
        argv=["a"],
    )
    await ended(manager)

    assert manager.connection_info == {"transport": "tcp"}
    assert (manager.kernel_id, manager.interrupt_mode, manager.argv) == (
        kernel_id,
        "message",
        ["a"],
    )
    assert repr(manager) == f"<KernelManager {kernel_id} pid={popen.pid} exit code 0>"


def test_a_fork_of_the_program_leaves_the_kernel_alone(runtime_dir: Path) -> None:
    fork = """
if not (pid := os.fork()):
    alive = asyncio.run(manager.is_alive())
    del manager
    os._exit(alive)
print(exit_code_of(pid), asyncio.run(manager.is_alive()))
"""

    result = _run(fork, runtime_dir)

    assert result.stdout == "1 True\n"
    assert "was dropped" not in result.stderr


def test_a_fork_that_sees_the_end_of_the_kernel_ends_nothing_else(runtime_dir: Path) -> None:
    fork = """
env = {**os.environ, "KERNEL_MGMT_KERNEL_ID": manager.kernel_id}
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=env)
os.kill(manager.pid, signal.SIGKILL)
if not (pid := os.fork()):
    os._exit(asyncio.run(manager.wait()))
print(exit_code_of(pid), other.poll())
"""

    assert _run(fork, runtime_dir).stdout == "0 None\n"


def _run(fork: str, runtime_dir: Path) -> CompletedProcess[str]:
    script = f"""
import asyncio, os, signal, subprocess, sys
from kernel_mgmt_subprocess import SubprocessKernelLauncher
def exit_code_of(pid): return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
argv = [sys.executable, "-c", {SLEEP!r}]
launcher = SubprocessKernelLauncher(argv, runtime_dir={str(runtime_dir)!r})
manager = asyncio.run(launcher.launch())[1]
{fork}
if manager is not None:
    asyncio.run(manager.kill())
    asyncio.run(manager.cleanup())
"""
    argv = [sys.executable, "-W", "always::ResourceWarning", "-c", script]
    return run(argv, capture_output=True, text=True, timeout=60, check=True)


def _drop(managers: list[KernelManager]) -> None:
    managers.clear()
    gc.collect()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def _lines_of(path: Path) -> list[str]:
    return path.read_text().split("\n") if path.exists() else []
