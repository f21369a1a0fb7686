"""``kernel-mgmt start`` and ``logs`` at a terminal, with a person at it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pexpect
import pytest

from kernel_mgmt.messages import MessageFactory
from kernel_mgmt.records import ProcessIdentity
from tests.conftest import left_behind

from .conftest import Terminal
from .kernels import Kernels

if sys.platform == "win32":
    pytest.skip("elsewhere: there are no such terminals", allow_module_level=True)

RUNS = r"The kernel (\S+) runs\. Connect to it by"


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    """A runtime directory of these tests."""
    kernels = Kernels(tmp_path_factory.mktemp("kernels"))
    yield kernels
    kernels.run("prune")

    assert left_behind(kernels.runtime_dir) == []


def shown(child: pexpect.spawn[str], pattern: str) -> str:
    """Wait until a command shows something, and return what the group in the pattern has of it."""
    child.expect(pattern)
    found = re.search(pattern, str(child.after))
    assert found is not None
    return found[1]


def ended(child: pexpect.spawn[str]) -> int | None:
    """Wait for the end of a command, and return its exit status."""
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus


def test_a_kernel_in_the_foreground_tells_how_to_connect_and_ends_at_ctrl_c(
    kernels: Kernels, terminal: Terminal
) -> None:
    child = terminal("start", "python3", "--name", "mine", **kernels.env)
    kernel_id = shown(child, RUNS)
    child.expect_exact("kernel-mgmt console mine")
    connection_file = shown(child, r"jupyter console --existing (\S+)")
    child.expect_exact("Ctrl-C ends it.")
    with kernels.client(kernel_id) as client:
        reply = client.execute("1 + 1", timeout=60)
    child.sendintr()
    status = ended(child)

    assert reply.content["status"] == "ok"
    assert Path(connection_file).name == f"kernel-{kernel_id}.json"
    assert status == 130
    assert kernels.files_of(kernel_id) == []


def test_the_foreground_ends_with_its_kernel_and_tells_how(
    kernels: Kernels, terminal: Terminal
) -> None:
    statuses: list[int | None] = []
    for end in ("fd 2 last words\nexit 7", "exit 0"):
        child = terminal("start", "fake", **kernels.env)
        kernel_id = shown(child, RUNS)
        child.expect_exact("Ctrl-C ends it.")
        with kernels.client(kernel_id) as client:
            _, parts = MessageFactory().make("execute_request", {"code": end})
            client.send("shell", parts)
            child.expect(r"The kernel has ended \(exit code \d\)")
            statuses.append(ended(child))
        if end.endswith("7"):
            assert "last words" in (child.before or "")

    assert statuses == [1, 0]


def test_a_second_ctrl_c_ends_a_kernel_that_will_not(kernels: Kernels, terminal: Terminal) -> None:
    child = terminal("start", "stubborn", **kernels.env)
    kernel_id = shown(child, RUNS)
    child.expect_exact("Ctrl-C ends it.")
    child.sendintr()
    child.expect_exact("Ending the kernel")
    child.sendintr()

    assert ended(child) == 130
    assert kernels.files_of(kernel_id) == []


def test_a_terminal_that_is_closed_or_a_command_that_is_killed_leaves_nothing(
    kernels: Kernels, terminal: Terminal
) -> None:
    processes: list[ProcessIdentity] = []
    for signum in (signal.SIGHUP, signal.SIGKILL):
        child = terminal("start", "fake", **kernels.env)
        processes.append(kernels.record(shown(child, RUNS)).process)
        child.expect_exact("Ctrl-C ends it.")
        child.kill(signum)
        child.expect(pexpect.EOF)

    _wait_until(lambda: not any(process.exists() for process in processes))
    _wait_until(lambda: os.listdir(kernels.runtime_dir) == [])


def test_a_log_is_followed_until_the_kernel_has_ended(kernels: Kernels, terminal: Terminal) -> None:
    kernel_id = kernels.start("fake", "--name", "talks")
    with kernels.client(kernel_id) as client:
        client.execute("fd 1 first\nfd 1 second", timeout=60)
        child = terminal("logs", "-f", "--tail", "1", "talks", **kernels.env)
        child.expect_exact("second\r\n")
        before = child.before
        client.execute("fd 2 third", timeout=60)
        child.expect_exact("third\r\n")
    shown = kernels.run("logs", kernel_id[:8])
    kernels.run("stop", "talks")
    child.expect_exact("The kernel talks has ended")

    assert "first" not in (before or "")
    assert shown.stdout == "first\nsecond\nthird\n"
    assert ended(child) == 0


def test_a_restart_of_a_real_kernel_leaves_those_connected_who_are(kernels: Kernels) -> None:
    kernel_id = kernels.start("spec/python3")
    with kernels.client(kernel_id) as client:
        client.execute("before = 1", timeout=60)
        result = kernels.run("restart", kernel_id)
        reply = client.execute("before", timeout=60)
    kernels.run("stop", kernel_id)

    assert result.stdout == f"{kernel_id}: restarted\n"
    assert reply.content["ename"] == "NameError"


def test_missing_parameters_are_asked_for_at_a_terminal_only(
    kernels: Kernels, terminal: Terminal
) -> None:
    refused = kernels.run("start", "-d", "levels")
    forbidden = ended(terminal("--no-input", "start", "levels", **kernels.env))
    child = terminal("start", "levels", **kernels.env)
    child.expect_exact("level: ")
    child.sendeof()
    given_up = ended(child)
    child = terminal("start", "levels", **kernels.env)
    child.expect_exact("level: ")
    child.sendline("5")
    child.expect(RUNS)
    child.expect_exact("Ctrl-C ends it.")
    child.sendintr()

    assert "'level' is a required property" in refused.stderr
    assert (refused.returncode, forbidden, given_up, ended(child)) == (2, 2, 130, 130)


def _wait_until(is_so: Callable[[], bool]) -> None:
    async def wait() -> None:
        with anyio.fail_after(30):
            while not is_so():
                await anyio.sleep(0.01)

    anyio.run(wait)
