"""A kernel may outlive the program that launched it, and another takes hold of it."""

from __future__ import annotations

import gc
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import anyio
import pytest

from kernel_mgmt.client import KernelClient
from kernel_mgmt.connection_files import read_connection_file
from kernel_mgmt.exceptions import KernelDiedError, KernelLaunchError, ReattachError
from kernel_mgmt.records import (
    KernelRecord,
    LaunchDetails,
    ProcessIdentity,
    find_records,
    is_stale,
    prune,
    read_record,
    record_path,
)
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt.types import ExitStatus, LaunchOptions, ResourceLimits
from kernel_mgmt_subprocess import KernelManager, SubprocessKernelLauncher, reattach
from kernel_mgmt_subprocess._exit_watch import ExitWatch, Process, ThreadWatch, watch_exit
from kernel_mgmt_subprocess._foreign import ForeignProcess
from kernel_mgmt_subprocess._guardian_main import LOG_BYTES
from kernel_mgmt_subprocess._process import KernelProcess

pytestmark = pytest.mark.anyio

if sys.platform != "linux":
    pytest.skip("reads the processes from Linux' /proc", allow_module_level=True)

FAKE = fake_kernel_argv()
IPYKERNEL = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
XPYTHON = [sys.executable, "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"]
SLEEP = "import time; time.sleep(60)"
PROGRAM = Path(__file__).with_name("owner_program.py")


def launched_and_left(
    code: str, backend: str, runtime_dir: Path, end: int = signal.SIGKILL
) -> KernelRecord:
    """Have a program run some code that launches a kernel, end it, and find the kernel's record."""
    argv = [sys.executable, str(PROGRAM), backend, str(runtime_dir)]
    with Popen(argv, stdin=PIPE, stdout=PIPE, text=True) as owner:
        assert owner.stdin is not None
        assert owner.stdout is not None
        owner.stdin.write(json.dumps(code) + "\n")
        owner.stdin.flush()
        owner.stdout.readline()
        owner.send_signal(end)
    (record,) = find_records(runtime_dir).records
    return record


async def launch(script: str, runtime_dir: Path, **options: Any) -> KernelManager:
    """Launch a script as a kernel."""
    launcher = SubprocessKernelLauncher(
        [sys.executable, "-S", "-c", script],
        options=LaunchOptions(**options),
        runtime_dir=runtime_dir,
    )
    return (await launcher.launch())[1]


def record_of(manager: KernelManager) -> KernelRecord:
    return KernelRecord.from_dict(json.loads(json.dumps(manager.describe())))


async def ended(*managers: KernelManager) -> None:
    """Kill the kernel through the first, wait through each, and clean up."""
    await managers[0].kill()
    for manager in managers:
        with anyio.fail_after(20):
            await manager.wait()
        await manager.cleanup()


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("argv", [FAKE, IPYKERNEL, XPYTHON], ids=["fake", "ipykernel", "xpython"])
async def test_a_kernel_that_persists_outlives_its_owner_and_is_ended_by_another(
    anyio_backend: str, argv: list[str], transport: str, runtime_dir: Path
) -> None:
    code = f"launch({argv!r}, transport={transport!r}, persist=True)"
    record = launched_and_left(code, anyio_backend, runtime_dir)
    manager = reattach(record)
    connection_info = read_connection_file(record.connection_file)
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)
        reply = await client.execute("pid" if argv is FAKE else "1 + 1")
    alive = await manager.is_alive()
    await ended(manager)

    assert reply.content["status"] == "ok"
    assert alive
    assert manager.connection_info == connection_info
    assert manager.exit_status is not None
    assert (manager.exit_status.code, manager.exit_status.signal) == (None, None)


async def test_a_kernel_that_persists_is_left_when_its_owner_ends_by_itself(
    anyio_backend: str, runtime_dir: Path
) -> None:
    code = f"launch_script({SLEEP!r}, persist=True)"
    record = launched_and_left(code, anyio_backend, runtime_dir, signal.SIGTERM)
    manager = reattach(record)
    alive = await manager.is_alive()
    await ended(manager)

    assert record.persist
    assert alive


async def test_a_program_that_leaves_a_kernel_is_not_warned(runtime_dir: Path) -> None:
    script = f"""
import asyncio, sys
from kernel_mgmt.types import LaunchOptions
from kernel_mgmt_subprocess import SubprocessKernelLauncher
argv = [sys.executable, "-c", {SLEEP!r}]
options = LaunchOptions(persist=True)
launcher = SubprocessKernelLauncher(argv, options=options, runtime_dir={str(runtime_dir)!r})
manager = asyncio.run(launcher.launch())[1]
"""
    argv = [sys.executable, "-W", "always", "-c", script]
    result = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    (record,) = find_records(runtime_dir).records
    await ended(reattach(record))

    assert result.stderr == ""


async def test_a_child_that_was_left_is_reaped_by_a_later_launch(runtime_dir: Path) -> None:
    managers = [await launch(SLEEP, runtime_dir, persist=True)]
    pid, record = managers[0].pid, record_of(managers[0])
    managers.clear()
    gc.collect()
    await ended(reattach(record))
    zombie = Path(f"/proc/{pid}").exists()
    await ended(await launch("", runtime_dir))
    # The guardian has one kernel left that nobody told the end of.
    reaped = not Path(f"/proc/{pid}").exists()

    assert zombie
    assert reaped


async def test_only_a_kernel_that_does_not_persist_is_told_its_parent(runtime_dir: Path) -> None:
    tell = "import os; print(os.environ.get('JPY_PARENT_PID'))"
    tails: list[str] = []
    for persist in (False, True):
        manager = await launch(tell, runtime_dir, persist=persist)
        await manager.wait()
        await manager.cleanup()
        assert manager.exit_status is not None
        tails.append(manager.exit_status.tail)

    assert tails == [str(os.getpid()), "None"]


async def test_the_log_of_a_kernel_that_persists_is_kept_short_without_its_owner(
    anyio_backend: str, runtime_dir: Path, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    write = f"""
open({str(go_on)!r}).read()
for _ in range({LOG_BYTES // 100}): print('a' * 200)
print('end', flush=True)
"""
    code = f"launch_script({write + SLEEP!r}, persist=True)"
    record = launched_and_left(code, anyio_backend, runtime_dir)
    await anyio.to_thread.run_sync(go_on.write_text, "")
    log = Path(record.log_file or "")
    content = b""
    with anyio.fail_after(20):
        while not content.endswith(b"end\n") or len(content) > LOG_BYTES:
            await anyio.sleep(0.005)
            content = log.read_bytes()
    await ended(reattach(record))

    assert content.split(maxsplit=2)[1] == b"a" * 200


async def test_a_manager_describes_its_kernel_without_secrets(
    runtime_dir: Path, kernel_id: str
) -> None:
    manager = await launch(SLEEP, runtime_dir, kernel_id=kernel_id)
    record = record_of(manager)
    written = read_record(record_path(kernel_id, runtime_dir))
    await ended(manager)

    assert record == written
    assert record.process == ProcessIdentity(manager.pid, record.process.start_time)
    assert record.owner.pid == os.getpid()
    assert record.cwd == os.getcwd()
    assert list(record.argv) == manager.argv
    assert record.launcher == "kernel_mgmt_subprocess._tcp.SubprocessKernelLauncher"
    assert not record.persist
    assert manager.connection_info.get("key", "") not in json.dumps(manager.describe())


async def test_only_the_file_tells_what_a_kernel_was_launched_with(
    runtime_dir: Path, kernel_id: str
) -> None:
    limits = ResourceLimits(open_files=64)
    options = LaunchOptions(kernel_id=kernel_id, env={"TOKEN": "hidden"}, limits=limits)
    manager = await launch(SLEEP, runtime_dir, **vars(options))
    path = Path(record_path(kernel_id, runtime_dir))
    record, mode = read_record(path), stat.S_IMODE(path.stat().st_mode)
    described = json.dumps(manager.describe())
    await ended(manager)

    assert record.launch == LaunchDetails(env={"TOKEN": "hidden"}, limits=limits)
    assert mode == 0o600
    assert "hidden" not in described


async def test_launch_parameters_that_json_cannot_say_are_not_kept(runtime_dir: Path) -> None:
    launcher = SubprocessKernelLauncher(
        [sys.executable, "-c", SLEEP], launch_params={"a": {1, 2}}, runtime_dir=runtime_dir
    )
    manager = (await launcher.launch())[1]
    (record,) = find_records(runtime_dir).records
    await ended(manager)

    assert record.launch is None


async def test_a_successor_of_the_same_id_is_left_alone_by_those_of_the_first(
    runtime_dir: Path, kernel_id: str
) -> None:
    first = await launch(SLEEP, runtime_dir, kernel_id=kernel_id)
    observer, ender = reattach(record_of(first)), reattach(record_of(first))
    await ender.kill()
    await ended(first)
    second = await launch(SLEEP, runtime_dir, kernel_id=kernel_id)
    with anyio.fail_after(20):
        await observer.wait()
    await observer.cleanup()
    await ender.cleanup()
    alive = await second.is_alive()
    files = sorted(os.listdir(runtime_dir))
    await ended(second)

    assert alive
    assert files == [f".kernel-{kernel_id}.{end}" for end in ("log", "record.json")] + [
        f"kernel-{kernel_id}.json"
    ]


async def test_a_manager_that_was_made_without_a_record_describes_nothing() -> None:
    manager = KernelManager(Popen([sys.executable, "-c", ""]))
    await manager.kill()

    assert manager.describe() == {}


async def test_a_reattached_manager_is_equal_to_the_first(runtime_dir: Path) -> None:
    first = await launch(SLEEP, runtime_dir)
    second = reattach(record_of(first))
    same = [
        (manager.kernel_id, manager.pid, manager.argv, manager.interrupt_mode, manager.describe())
        for manager in (first, second)
    ]
    connection_infos = [first.connection_info, second.connection_info]
    await ended(first, second)

    assert same[0] == same[1]
    assert connection_infos[0] == connection_infos[1]


async def test_several_managers_of_a_kernel_get_along(runtime_dir: Path) -> None:
    first = await launch(SLEEP, runtime_dir)
    others = [reattach(record_of(first)) for _ in range(2)]
    returned: list[bool] = []

    async def wait(manager: KernelManager) -> None:
        returned.append(await manager.wait())

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for manager in (first, *others):
                tasks.start_soon(wait, manager)
            for manager in others:
                tasks.start_soon(manager.kill)
    for manager in (first, *others):
        await manager.cleanup()

    assert returned == [False] * 3
    assert first.exit_status == ExitStatus(signal=signal.SIGKILL)
    assert [manager.exit_status for manager in others] == [ExitStatus()] * 2


async def test_a_reattached_manager_signals_and_interrupts(runtime_dir: Path) -> None:
    script = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGUSR1, signal.SIGTERM])
print("waits", flush=True)
print([signal.sigwait([signum]).name for signum in (signal.SIGINT, signal.SIGUSR1, signal.SIGTERM)])
"""
    first = await launch(script, runtime_dir)
    manager = reattach(record_of(first))
    with anyio.fail_after(20):
        while "waits" not in Path(record_of(first).log_file or "").read_text():
            await anyio.sleep(0.001)
    await manager.interrupt()
    await manager.signal(signal.SIGUSR1)
    await manager.terminate()
    with anyio.fail_after(20):
        await manager.wait()
    await ended(first)

    assert manager.exit_status == ExitStatus(tail="waits\n['SIGINT', 'SIGUSR1', 'SIGTERM']")


async def test_a_reattached_manager_ends_the_children_of_a_kernel(
    runtime_dir: Path, tmp_path: Path
) -> None:
    children = """
import os, subprocess, sys
argv = [sys.executable, "-c", "import time; time.sleep(60)"]
pids = [subprocess.Popen(argv, env={}).pid, subprocess.Popen(argv, start_new_session=True).pid]
with open("pids.new", "w") as file: file.write(f"{pids[0]} {pids[1]}")
os.rename("pids.new", "pids")
os.wait()
"""
    launcher = SubprocessKernelLauncher(
        [sys.executable, "-c", children], cwd=tmp_path, runtime_dir=runtime_dir
    )
    first = (await launcher.launch())[1]
    manager = reattach(record_of(first))
    with anyio.fail_after(20):
        while not (tmp_path / "pids").exists():
            await anyio.sleep(0.001)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    await manager.kill()
    with anyio.fail_after(20):
        while any(ProcessIdentity.of(pid).runs() for pid in pids):
            await anyio.sleep(0.001)
    await ended(first, manager)


async def test_dropping_a_reattached_manager_leaves_the_kernel_be(runtime_dir: Path) -> None:
    first = await launch(SLEEP, runtime_dir)
    reattach(record_of(first))
    gc.collect()
    alive = await first.is_alive()
    await ended(first)

    assert alive


async def test_the_cleanup_of_a_reattached_manager_removes_the_files(runtime_dir: Path) -> None:
    first = await launch(SLEEP, runtime_dir)
    manager = reattach(record_of(first))
    await manager.kill()
    await manager.cleanup()
    files = os.listdir(runtime_dir)
    await ended(first)

    assert files == []


async def test_the_cleanup_of_a_reattached_manager_removes_nothing_else(
    runtime_dir: Path, tmp_path: Path
) -> None:
    thesis, theses = tmp_path / "thesis", tmp_path / "theses"
    theses.mkdir()
    for path in (thesis, theses / "another"):
        path.touch()
    first = await launch(SLEEP, runtime_dir)
    record = record_of(first)
    files = (str(thesis), str(theses), *record.files)
    manager = reattach(replace(record, files=files))
    await manager.kill()
    await manager.cleanup()
    left = os.listdir(runtime_dir)
    await ended(first)

    assert thesis.exists()
    assert (theses / "another").exists()
    assert left == []


async def test_the_cleanup_of_a_reattached_manager_spares_the_kernel_that_follows(
    runtime_dir: Path,
) -> None:
    first = await launch(SLEEP, runtime_dir)
    manager = reattach(record_of(first))
    await ended(first)
    second = await launch(SLEEP, runtime_dir, kernel_id=first.kernel_id)
    before = sorted(os.listdir(runtime_dir))
    await manager.wait()
    await manager.cleanup()
    after = sorted(os.listdir(runtime_dir))
    await ended(second)

    assert len(before) == 3
    assert after == before


async def test_a_kernel_that_has_died_cannot_be_taken_hold_of(runtime_dir: Path) -> None:
    first = await launch("raise SystemExit('last words')", runtime_dir)
    record = record_of(first)
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)

    with pytest.raises(KernelDiedError, match="last words"):
        reattach(record)
    await ended(first)
    with pytest.raises(KernelDiedError):
        reattach(record)
    assert is_stale(record)


@pytest.mark.parametrize("what", ["foreign", "connection file"])
async def test_a_kernel_that_is_out_of_reach_cannot_be_taken_hold_of(
    runtime_dir: Path, what: str
) -> None:
    first = await launch(SLEEP, runtime_dir)
    record = record_of(first)
    if what == "foreign":
        record = replace(record, machine=replace(record.machine, host="a", boot_id="b"))
    else:
        os.unlink(record.connection_file)

    with pytest.raises(ReattachError, match=r"cannot be taken hold of: .*('a'|No such file)"):
        reattach(record)
    await ended(first)


async def test_what_a_kernel_that_persisted_left_is_pruned(
    anyio_backend: str, runtime_dir: Path
) -> None:
    code = f"launch_script({SLEEP!r}, persist=True)"
    record = launched_and_left(code, anyio_backend, runtime_dir)
    left_alone = prune(runtime_dir)
    os.kill(record.process.pid, signal.SIGKILL)
    with anyio.fail_after(20):
        while not is_stale(record):
            await anyio.sleep(0.001)

    assert left_alone == []
    assert prune(runtime_dir) == [record]


async def test_a_launch_that_cannot_write_the_record_leaves_nothing(
    runtime_dir: Path, kernel_id: str
) -> None:
    in_the_way = Path(record_path(kernel_id, runtime_dir))
    in_the_way.mkdir(parents=True)
    (in_the_way / "file").mkdir()

    with pytest.raises(KernelLaunchError, match="The record of the kernel cannot be written"):
        await launch(SLEEP, runtime_dir, kernel_id=kernel_id)
    assert os.listdir(runtime_dir) == [in_the_way.name]
    (in_the_way / "file").rmdir()
    in_the_way.rmdir()


@pytest.mark.parametrize("watch", [watch_exit, ThreadWatch], ids=["usual", "thread"])
async def test_the_end_of_a_process_that_is_no_child_is_noticed(
    watch: Callable[[Process], ExitWatch],
) -> None:
    pid = _grandchild()
    foreign = ForeignProcess(ProcessIdentity.of(pid))
    process = KernelProcess(foreign, "no-such-id", None, [], watch_exit=watch)
    alive = not process.has_ended()
    process.kill()
    with anyio.fail_after(20):
        await process.wait()

    assert alive
    assert process.exit_status == ExitStatus()


def _grandchild() -> int:
    spawn = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=2).pid)"
    argv = [sys.executable, "-W", "ignore", "-c", spawn]
    return int(subprocess.run(argv, stdout=PIPE, timeout=60, check=True).stdout)
