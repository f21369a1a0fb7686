"""The command ``kernel-mgmt doctor``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pexpect
import pytest

from .conftest import Run, Terminal
from .fake_kernelspec import write_fake_kernelspec


def test_without_a_kernel_it_looks_at_the_installation_and_starts_nothing(
    run: Run, tmp_path: Path
) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, "--exit-at-start", "1")

    result = run("doctor", JUPYTER_PATH=jupyter_path)

    header, *rows = (line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert header == ["ABOUT", "CHECK              RESULT  SEEN"]
    told = {about: [row[1] for row in rows if row[0] == about] for about, _ in rows}
    assert any(line.startswith("python ") for line in told["installation"])
    assert any(line.startswith("types  spec/fake ") for line in told["kernel"])
    assert result.stderr == ""


def test_a_broken_kernelspec_is_a_problem(run: Run, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, argv="no list")

    result = run("doctor", "-o", "json", JUPYTER_PATH=jupyter_path)

    found = {item["check"]: item for item in json.loads(result.stdout)["installation"]}
    assert found["kernel type spec/fake"]["result"] == "problem"
    assert result.returncode == 1


@pytest.mark.parametrize(
    ("argv", "seen"),
    [
        (["no-such-program", "{connection_file}"], "there is no program 'no-such-program'"),
        (["python3", "-m", "no_such.module"], "has no module 'no_such.module'"),
    ],
)
def test_a_kernel_type_that_cannot_be_run_is_a_problem(
    argv: list[str], seen: str, run: Run, tmp_path: Path
) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, argv=argv)

    result = run("doctor", "-o", "json", JUPYTER_PATH=jupyter_path)

    found = {item["check"]: item for item in json.loads(result.stdout)["kernel types"]}
    assert found["spec/fake"]["result"] == "problem"
    assert found["spec/fake"]["seen"].endswith(seen)
    assert result.returncode == 1


def test_the_modules_of_another_environment_are_not_looked_for(run: Run, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    argv = [str(python), "-m", "no_such_module"]
    jupyter_path = write_fake_kernelspec(tmp_path, argv=argv)

    result = run("doctor", "-o", "json", JUPYTER_PATH=jupyter_path)

    found = {item["check"]: item for item in json.loads(result.stdout)["kernel types"]}
    assert found["spec/fake"]["seen"] == f"is started by {python} -m no_such_module"


def test_each_kernel_type_is_started_if_asked_for(run: Run, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path)
    write_fake_kernelspec(tmp_path / "other", "--exit-at-start", "7", name="failing")
    path = f"{jupyter_path}:{tmp_path / 'other' / 'jupyter'}"

    result = run("doctor", "--start", "-o", "json", JUPYTER_PATH=path, KERNEL_MGMT_ALLOW="spec/f*")

    found = {item["check"]: item for item in json.loads(result.stdout)["kernel types"]}
    assert {name: item["result"] for name, item in found.items()} == {
        "spec/fake": "ok",
        "spec/failing": "problem",
    }
    assert found["spec/fake"]["seen"].startswith("ready after ")
    assert "exit code 7" in found["spec/failing"]["seen"]
    assert result.returncode == 1


def test_checks_of_a_real_kernel_can_be_chosen(run: Run) -> None:
    checks = ["features", "curve", "stderr", "errors", "results"]

    result = run("doctor", "python3", "-o", "json", *(f"--check={name}" for name in checks))

    found = {item["check"]: item for item in json.loads(result.stdout)["spec/python3"]}
    assert list(found) == ["start", *checks]
    assert [item["result"] for item in found.values()] == ["ok", "ok", "ok", "note", "ok", "ok"]
    assert "Kernel is running over TCP without encryption" in found["stderr"]["seen"]
    assert (result.returncode, result.stderr) == (0, "")


def test_a_problem_of_a_kernel_is_the_exit_status(terminal: Terminal, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, "--sigint", "die", "--slow-start", "0.6")

    child = terminal("doctor", "fake", "--check", "interrupt", JUPYTER_PATH=jupyter_path)

    child.expect_exact("Starting several kernels of spec/fake, and trying them out")
    child.expect(r"spec/fake +interrupt +problem +SIGINT ends it \(killed by SIGINT\)")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1


def test_ctrl_c_leaves_no_kernel(terminal: Terminal, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, "--slow-start", "600")

    child = terminal("doctor", "fake", JUPYTER_PATH=jupyter_path)
    child.expect_exact("Starting several kernels of spec/fake")
    child.sendintr()

    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


def test_a_kernel_that_does_not_start_hides_no_other(run: Run, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path)
    write_fake_kernelspec(tmp_path / "other", "--exit-at-start", "7", name="failing")
    path = f"{jupyter_path}:{tmp_path / 'other' / 'jupyter'}"

    result = run("doctor", "failing", "fake", "--check=errors", "-o", "json", JUPYTER_PATH=path)

    assert list(json.loads(result.stdout)) == ["spec/fake"]
    assert "exit code 7" in result.stderr
    assert result.returncode == 4


def test_an_unknown_kernel_is_told_before_any_is_started(run: Run) -> None:
    result = run("doctor", "python3", "oblong")

    assert "There is no kernel type 'spec/oblong'" in result.stderr
    assert (result.returncode, result.stdout) == (3, "")


def test_an_unknown_check_names_those_there_are(run: Run) -> None:
    result = run("doctor", "python3", "--check", "oblong")

    assert result.stderr.startswith("Error: There is no check 'oblong'; there are features, curve,")
    assert (result.returncode, result.stdout) == (2, "")
