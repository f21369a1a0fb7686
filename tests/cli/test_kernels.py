"""Kernels that stay: from one command to the next they are found, used and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest

from kernel_mgmt import BlockingKernelClient
from kernel_mgmt.messages import Message
from kernel_mgmt.records import write_record
from tests.conftest import left_behind

from .conftest import PROGRAM, Terminal
from .kernels import Kernels
from .screen import Screen

if sys.platform == "win32":
    pytest.skip("elsewhere: ends programs by POSIX signals", allow_module_level=True)

import fcntl

ODD = "it's ünusual"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    """A runtime directory in which nothing is left after the tests."""
    kernels = Kernels(tmp_path_factory.mktemp("kernels"))
    yield kernels
    ended = kernels.run("kill", "--all")
    kernels.run("prune")

    assert ended.returncode == 0
    assert left_behind(kernels.runtime_dir) == []


@pytest.fixture(scope="module")
def stays(kernels: Kernels) -> str:
    """A kernel with an odd name that stays through all the tests; its id."""
    (kernels.directory / "in here").mkdir()
    options = ("--name", ODD, "--env", "TOKEN=hidden", "--cwd", "in here", "--param", "level=3")
    return kernels.start("levels", *options)


@contextmanager
def at_work(client: BlockingKernelClient, code: str) -> Generator[Future[Message]]:
    """Have a kernel work, from when it has printed something."""
    printed = Event()

    def look(message: Message) -> None:
        if message.msg_type == "stream":
            printed.set()

    client.add_handler(look)
    with ThreadPoolExecutor() as threads:
        work = threads.submit(client.execute, code)
        assert printed.wait(60)
        yield work


def result_of(client: BlockingKernelClient, code: str) -> str:
    """The text of what some code results in."""
    texts: list[str] = []

    def take(message: Message) -> None:
        if message.msg_type == "execute_result":
            texts.append(message.content["data"]["text/plain"])

    client.add_handler(take)
    client.execute(code, timeout=60)
    client.remove_handler(take)
    return texts[0]


def test_a_detached_kernel_is_listed_and_used_by_other_programs(
    kernels: Kernels, stays: str
) -> None:
    kernel = kernels.listed()[stays]
    with kernels.client(stays) as client:
        told = [result_of(client, code) for code in ("environ TOKEN", "environ LEVEL", "cwd")]

    assert told == ["hidden", "3", str(kernels.directory / "in here")]
    assert kernel["memory"] > 1_000_000
    assert kernel["uptime"] > 0
    assert (kernel["name"], kernel["kernel"], kernel["state"]) == (ODD, "spec/levels", "idle")
    assert (kernel["persist"], kernel["foreign"]) == (True, False)
    assert kernel["pid"] == kernels.record(stays).process.pid


def test_no_command_tells_what_may_be_secret(kernels: Kernels, stays: str) -> None:
    lists = [("ps", "-a", "-o", output) for output in ("table", "wide", "json", "name")]
    results = [kernels.run(*each) for each in (*lists, ("logs", stays))]

    assert stays[:8] in results[0].stdout
    assert [each.stdout.strip() for each in results[3:]] == [ODD, ""]
    assert not [each for each in results if "hidden" in each.stdout + each.stderr]


def test_a_name_is_had_by_one_kernel_only(kernels: Kernels, stays: str) -> None:
    result = kernels.run("start", "-d", "fake", "--name", ODD)

    assert f"is taken by the kernel {stays}" in result.stderr
    assert (result.returncode, result.stdout) == (2, "")


def test_a_busy_kernel_is_told_and_interrupted(kernels: Kernels, stays: str) -> None:
    with kernels.client(stays) as client, at_work(client, "print busy\nsleep 60") as work:
        state = kernels.listed()[stays]["state"]
        result = kernels.run("interrupt", stays[:6])
        reply = work.result(60)

    assert state == "busy"
    assert (result.returncode, result.stdout) == (0, f"{stays[:6]}: interrupted\n")
    assert reply.content["status"] == "error"


@pytest.mark.parametrize(
    ("options", "ends", "expected"),
    [
        ((), signal.SIGINT, 130),
        (("--detach",), signal.SIGINT, 130),
        # Nobody has been told yet that it is there.
        (("--detach",), signal.SIGTERM, -signal.SIGTERM),
        (("--detach",), signal.SIGHUP, -signal.SIGHUP),
    ],
)
def test_a_kernel_that_is_on_its_way_up_is_told_and_ends_with_its_start(
    kernels: Kernels, options: tuple[str, ...], ends: int, expected: int
) -> None:
    with kernels.begun("start", "slow", *options) as owner:
        while not (new := [each for each in kernels.records() if each.kernel_type == "spec/slow"]):
            assert owner.poll() is None
        state = kernels.listed()[new[0].kernel_id]["state"]
        owner.send_signal(ends)
        status = owner.wait(60)

    assert (state, status) == ("starting", expected)
    assert kernels.files_of(new[0].kernel_id) == []


def test_a_restart_keeps_what_the_kernel_was_started_with(kernels: Kernels, stays: str) -> None:
    before = kernels.record(stays)
    with kernels.client(stays) as connected:
        result = kernels.run("restart", ODD)
        reply = connected.execute("pid", timeout=60)
    with kernels.client(stays) as client:
        told = [result_of(client, code) for code in ("environ TOKEN", "environ LEVEL", "cwd")]
        pid = result_of(client, "pid")
    after = kernels.record(stays)

    assert (result.returncode, result.stdout) == (0, f"{ODD}: restarted\n"), result.stderr
    assert reply.content["status"] == "ok"
    assert told == ["hidden", "3", str(kernels.directory / "in here")]
    assert int(pid) == after.process.pid != before.process.pid
    assert (after.name, after.persist, after.launch) == (ODD, True, before.launch)
    assert len(kernels.files_of(stays)) == 3


def test_of_those_who_restart_a_kernel_at_once_one_does(kernels: Kernels) -> None:
    kernel_id = kernels.start("fake", "--name", "wanted")
    with (
        kernels.begun("restart", "wanted") as first,
        kernels.begun("restart", kernel_id) as second,
    ):
        told = [process.communicate(timeout=60) for process in (first, second)]
    with kernels.client(kernel_id) as client:
        client.execute("pid", timeout=60)
    files = kernels.files_of(kernel_id)
    kernels.run("kill", kernel_id)

    assert 0 in {first.returncode, second.returncode}
    # One that comes late finds the first still there, or restarts the kernel once more.
    for stdout, stderr in told:
        assert "restarted\n" in stdout or "is being restarted already" in stderr or "runs" in stderr
    assert len(files) == 3


def test_a_kernel_that_is_another_programs_is_not_restarted_behind_its_back(
    kernels: Kernels,
) -> None:
    with kernels.begun("start", "fake", "--name", "held") as owner:
        assert owner.stdout is not None
        kernel_id = owner.stdout.readline().strip()
        result = kernels.run("restart", "held")
        state = kernels.listed()[kernel_id]["state"]
        owner.send_signal(signal.SIGTERM)
        status = owner.wait(60)

    assert f"process {owner.pid} has started it, still runs" in result.stderr
    assert (result.returncode, result.stdout, state) == (1, "", "idle")
    assert status == 128 + signal.SIGTERM
    assert kernels.files_of(kernel_id) == []


def test_several_are_ended_at_once_and_one_that_fails_holds_up_no_other(kernels: Kernels) -> None:
    stubborn = kernels.start("stubborn", "--name", "stubborn")
    fake = kernels.start("fake")
    result = kernels.run("stop", "--time", "0.2", "nobody", "stubborn", fake, stubborn)

    assert sorted(result.stdout.splitlines()) == sorted(
        [f"{fake}: ended at its request", "stubborn: ended by SIGKILL"]
    )
    assert "No kernel 'nobody' runs" in result.stderr
    assert result.returncode == 3
    assert kernels.files_of(fake) + kernels.files_of(stubborn) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="elsewhere: there is no /dev/full")
def test_a_kernel_stays_only_if_its_id_can_be_told(kernels: Kernels) -> None:
    command = [str(PROGRAM), "start", "-d", "fake", "--name", "untold"]
    with open("/dev/full", "wb") as full:
        result = subprocess.run(command, stdout=full, env=kernels.env, timeout=120, check=False)

    assert result.returncode == 1
    assert "untold" not in [record.name for record in kernels.records()]


def test_nobody_need_read_what_becomes_of_them(kernels: Kernels) -> None:
    one, other = (kernels.start("fake") for _ in range(2))
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        result = subprocess.run(
            [PROGRAM, "kill", one, other],
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=kernels.env,
            timeout=60,
            check=False,
        )

    assert (result.returncode, result.stderr) == (0, b"")
    assert kernels.files_of(one) == kernels.files_of(other) == []


def test_what_is_printed_while_progress_is_shown_has_lines_of_its_own(
    kernels: Kernels, terminal: Terminal
) -> None:
    stubborn, fake = kernels.start("stubborn"), kernels.start("fake")
    screen = Screen(terminal("stop", "--time", "0.5", stubborn, fake, **kernels.env))
    status = screen.end()

    assert status == 0
    assert sorted(screen.text.splitlines()) == sorted(
        [f"{fake}: ended at its request", f"{stubborn}: ended by SIGKILL"]
    )


def test_two_may_stop_and_a_third_wait_for_the_same_kernel(kernels: Kernels) -> None:
    kernel_id = kernels.start("stubborn")
    with kernels.begun("wait", kernel_id) as waits:
        too_long = kernels.run("wait", "--timeout", "0", kernel_id)
        with (
            kernels.begun("stop", "--time", "0.5", kernel_id) as first,
            kernels.begun("stop", "--time", "0.5", kernel_id) as second,
        ):
            statuses = {first.wait(60), second.wait(60)}
        told = waits.communicate(timeout=60)[0]

    assert "still runs after 0 s" in too_long.stderr
    assert too_long.returncode == 5
    # One that comes late finds no kernel.
    assert statuses <= {0, 3}
    assert told == f"{kernel_id}: has ended; how, only the program knows that started it\n"
    assert waits.returncode == 0
    assert kernels.files_of(kernel_id) == []


def test_what_a_dead_kernel_said_is_read_until_its_files_are_pruned(kernels: Kernels) -> None:
    kernel_id = kernels.start("fake", "--name", "gone")
    with kernels.client(kernel_id) as client:
        client.execute("fd 1 last words", timeout=60)
    os.kill(kernels.record(kernel_id).process.pid, signal.SIGKILL)
    waited = kernels.run("wait", "gone")
    states = kernels.listed("-a")[kernel_id]["state"], kernel_id in kernels.listed()
    logs = kernels.run("logs", "-f", "gone")
    interrupted = kernels.run("interrupt", "gone")
    dry = kernels.run("prune", "-n")
    files = kernels.files_of(kernel_id)
    pruned = kernels.run("prune", "-o", "json")

    assert waited.returncode == 0
    assert states == ("dead", False)
    assert (logs.returncode, logs.stdout) == (0, "last words\n")
    assert (interrupted.returncode, interrupted.stdout) == (1, "")
    assert "The kernel has died" in interrupted.stderr
    assert dry.stdout == f"{kernel_id} gone\n"
    assert "Would remove the files of 1 kernel" in dry.stderr
    assert len(files) == 3
    assert f'"id": "{kernel_id}"' in pruned.stdout
    assert kernels.files_of(kernel_id) == []


def test_a_kernel_that_has_died_is_restarted_or_stopped(kernels: Kernels) -> None:
    kernel_id = kernels.start("fake", "--name", "twice")
    os.kill(kernels.record(kernel_id).process.pid, signal.SIGKILL)
    kernels.run("wait", "twice")
    restarted = kernels.run("restart", "twice")
    state = kernels.listed()[kernel_id]["state"]
    os.kill(kernels.record(kernel_id).process.pid, signal.SIGKILL)
    kernels.run("wait", "twice")
    stopped = kernels.run("stop", "twice")

    assert (restarted.stdout, restarted.stderr) == ("twice: restarted\n", "")
    assert state == "idle"
    assert (stopped.stdout, stopped.returncode) == ("twice: had ended already\n", 0)
    assert kernels.files_of(kernel_id) == []


def test_a_lock_that_a_killed_restart_has_left_is_pruned_and_one_that_is_held_is_not(
    kernels: Kernels,
) -> None:
    left, held = (kernels.runtime_dir / f".kernel-{name}.lock" for name in ("left", "held"))
    left.touch()
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        dry = kernels.run("prune", "-n", "-o", "json")
        result = kernels.run("prune")
        are_there = left.exists(), held.exists()
    held.unlink()

    assert json.loads(dry.stdout)["locks"] == [str(left)]
    assert f"Removed {left}, the lock of a restart that was killed" in result.stderr
    assert (result.returncode, are_there) == (0, (False, True))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("stop",), "ended by SIGTERM"),
        (("kill",), "ended by SIGKILL"),
        (("restart",), "restarted, but it listens elsewhere: connect to it again"),
    ],
)
def test_a_kernel_whose_connection_file_is_lost_is_ended_by_its_process(
    kernels: Kernels, command: tuple[str, ...], told: str
) -> None:
    kernel_id = kernels.start("fake")
    before = kernels.record(kernel_id)
    os.unlink(before.connection_file)
    result = kernels.run(*command, kernel_id)
    runs = before.process.runs()
    kernels.run("kill", kernel_id)

    assert (result.stdout, result.stderr) == (f"{kernel_id}: {told}\n", "")
    assert (result.returncode, runs) == (0, False)
    assert kernels.files_of(kernel_id) == []


def test_a_kernel_whose_connection_file_is_lost_is_interrupted_by_a_signal(
    kernels: Kernels,
) -> None:
    kernel_id = kernels.start("fake")
    with kernels.client(kernel_id) as client, at_work(client, "print busy\nsleep 60") as work:
        os.unlink(kernels.record(kernel_id).connection_file)
        result = kernels.run("interrupt", kernel_id)
        reply = work.result(60)
    kernels.run("kill", kernel_id)

    assert (result.stdout, result.returncode) == (f"{kernel_id}: interrupted\n", 0)
    assert reply.content["status"] == "error"


def test_one_that_would_be_interrupted_by_a_message_is_then_out_of_reach(kernels: Kernels) -> None:
    kernel_id = kernels.start("by-message")
    os.unlink(kernels.record(kernel_id).connection_file)
    result = kernels.run("interrupt", kernel_id)
    kernels.run("kill", kernel_id)

    assert "it is interrupted by a message, and its connection file is lost" in result.stderr
    assert (result.stdout, result.returncode) == ("", 1)


def test_what_is_elsewhere_is_named_and_never_touched(kernels: Kernels, stays: str) -> None:
    record = kernels.record(stays)
    there = replace(record.machine, host="far-away", boot_id="b", pid_namespace="c")
    # Its process is that of a kernel here, which must not be taken for it.
    foreign = replace(record, kernel_id="elsewhere-1", name="far", machine=there, launch=None)
    path = write_record(foreign, kernels.runtime_dir)
    results = [kernels.run(command, "far") for command in ("stop", "kill", "interrupt", "restart")]
    results += [kernels.run("wait", "far"), kernels.run("logs", "far")]
    kernel = kernels.listed("-a")["elsewhere-1"]
    listed = kernels.listed()
    kernels.run("prune")
    is_there = os.path.exists(path)
    os.unlink(path)

    for result in results:
        assert "The kernel far runs on 'far-away', or in another container" in result.stderr
        assert (result.returncode, result.stdout) == (1, "")
    assert (kernel["state"], kernel["foreign"], kernel["uptime"]) == ("unknown", True, None)
    assert list(listed) == [stays]
    assert is_there


def test_what_is_no_record_is_told(kernels: Kernels) -> None:
    junk = kernels.runtime_dir / ".kernel-junk.record.json"
    junk.write_text("{}")
    result = kernels.run("ps", "-a")
    junk.unlink()

    assert f"{junk} is no record of a kernel" in result.stderr
    assert result.returncode == 0


def test_all_of_nothing_is_fine_and_no_name_at_all_is_not(kernels: Kernels, stays: str) -> None:
    results = [kernels.run("stop"), kernels.run("stop", "--all"), kernels.run("stop", "--all")]

    assert [result.returncode for result in results] == [2, 0, 0]
    assert results[1].stdout == f"{ODD}: ended at its request\n"
    assert kernels.files_of(stays) == []


@pytest.mark.parametrize("output", ["wide", "json", "name"])
def test_ids_alone_are_printed_in_one_way(kernels: Kernels, output: str) -> None:
    result = kernels.run("ps", "-q", "-o", output)

    assert "-q prints ids alone" in result.stderr
    assert (result.returncode, result.stdout) == (2, "")
