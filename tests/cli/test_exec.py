"""The command ``kernel-mgmt exec``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from kernel_mgmt import BlockingKernelClient, LaunchOptions, run_kernel_blocking

from .conftest import Run, Terminal


@pytest.fixture(scope="module", autouse=True)
def client() -> Iterator[BlockingKernelClient]:
    """A client of a running kernel with the name ``work``."""
    with run_kernel_blocking("python3", options=LaunchOptions(name="work")) as client:
        yield client


def test_code_runs_in_the_kernel_and_leaves_it_running(
    run: Run, client: BlockingKernelClient
) -> None:
    first = run("exec", "work", "x = 6")
    second = run("exec", "work", "-", stdin="print(x * 7)")

    assert (first.stdout, first.stderr, first.returncode) == ("", "", 0)
    assert (second.stdout, second.stderr, second.returncode) == ("42\n", "", 0)
    assert client.is_alive()


def test_a_file_and_a_connection_file_will_do(
    run: Run, client: BlockingKernelClient, tmp_path: Path
) -> None:
    (tmp_path / "code.py").write_text("print('from a file')\n", encoding="utf-8")
    connection_file = tmp_path / "kernel.json"
    connection_file.write_text(json.dumps(client.connection_info), encoding="utf-8")
    result = run("exec", str(connection_file), "--file", "code.py")

    assert (result.stdout, result.stderr, result.returncode) == ("from a file\n", "", 0)


def test_json_has_the_outputs_and_the_count(run: Run) -> None:
    result = run("exec", "work", "-o", "json", "1/0")

    told = json.loads(result.stdout)
    assert (told["status"], result.returncode) == ("error", 1)
    assert isinstance(told["execution_count"], int)
    assert [output["ename"] for output in told["outputs"]] == ["ZeroDivisionError"]


def test_a_kernel_that_does_not_run_is_told(run: Run) -> None:
    result = run("exec", "wrok", "1")

    assert "No kernel 'wrok' runs; did you mean 'work'?" in result.stderr
    assert (result.returncode, result.stdout) == (3, "")


def test_code_must_come_from_one_place(run: Run) -> None:
    assert run("exec", "work").returncode == 2


def test_code_that_takes_too_long_is_interrupted(run: Run) -> None:
    code = "import time\ntry: time.sleep(600)\nfinally: ended = 'ended'"
    late = run("exec", "work", "--timeout", "2", code)
    after = run("exec", "work", "ended")

    assert "not done within 2 s, and was interrupted" in late.stderr
    assert (late.returncode, after.stdout) == (5, "'ended'\n")


def test_ctrl_c_interrupts_the_code_and_leaves_the_kernel(
    terminal: Terminal, client: BlockingKernelClient
) -> None:
    child = terminal("exec", "work", "import time; print('asleep'); time.sleep(600)")
    child.expect_exact("asleep")
    child.sendintr()

    child.expect_exact("KeyboardInterrupt")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    assert client.is_alive()
