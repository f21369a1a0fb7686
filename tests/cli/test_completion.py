"""The command ``kernel-mgmt completion``, and what the shells make of its script."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pexpect
import pytest

from .conftest import PROGRAM, Run
from .installed import install_provider

Shell: TypeAlias = "pexpect.spawn[str]"

needs_zsh = pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
needs_fish = pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")


def environment(**env: str) -> dict[str, str]:
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "TERM": "xterm", **env}


def opened(program: str, *lines: str) -> Shell:
    """Start an interactive shell without any settings, and have it run some lines."""
    options = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[program]
    shell: Shell = pexpect.spawn(
        program, options, timeout=60, encoding="utf-8", dimensions=(40, 120), env=environment()
    )
    for line in (*lines, f'eval "$(kernel-mgmt completion {program})"', "echo rea''dy"):
        shell.sendline(line)
    shell.expect_exact("ready")
    return shell


@pytest.fixture(params=["bash", pytest.param("zsh", marks=needs_zsh)])
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    """A shell that has been told to complete the command."""
    lines = ["autoload -Uz compinit && compinit -D -u"] if request.param == "zsh" else []
    shell = opened(request.param, *lines)
    yield shell
    shell.close(force=True)


def test_a_shell_completes_commands_and_kernels(shell: Shell) -> None:
    shell.send("kernel-mgmt inf\tpyimp\t")
    shell.expect_exact("info")
    shell.expect_exact("pyimport/kernel")
    shell.send("\r")

    shell.expect_exact("pyimport/kernel: Python")


def test_bash_inserts_a_name_so_that_it_stays_one_word_and_runs_nothing(tmp_path: Path) -> None:
    methods = """
        def find_kernels(self):
            yield "odd $(one)", {}
    """
    env = install_provider(tmp_path / "site", methods)
    script = (
        'eval "$(kernel-mgmt completion bash)"; COMP_WORDS=(kernel-mgmt info oblong/o) COMP_CWORD=2;'
        "_kernel_mgmt_completion kernel-mgmt; echo $COMPREPLY"
    )

    result = subprocess.run(
        ["bash", "-c", script],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (result.stdout, result.stderr) == ("oblong/odd\\ \\$\\(one\\)\n", "")


@needs_fish
def test_fish_completes_kernels_with_their_display_names() -> None:
    script = 'kernel-mgmt completion fish | source; complete -C "kernel-mgmt info pyimp"'
    result = subprocess.run(
        ["fish", "--no-config", "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    name, _, meaning = result.stdout.strip().partition("\t")
    assert (name, result.stderr) == ("pyimport/kernel", "")
    assert meaning.endswith("(this interpreter)")


def completed(run: Run, *words: str, **env: str) -> list[str]:
    """What bash is told for the last word of a line."""
    line = " ".join(("kernel-mgmt", *words))
    result = run(
        COMP_WORDS=line.replace(" ", "\n"),
        COMP_CWORD=str(len(words)),
        _KERNEL_MGMT_COMPLETE="bash_complete",
        **env,
    )
    assert result.stderr == ""
    return [line.removeprefix("plain,") for line in result.stdout.split()]


def test_names_are_completed_without_case_and_with_or_without_provider(run: Run) -> None:
    assert completed(run, "info", "PYTHON3") == ["python3"]
    assert completed(run, "info", "spec/python3") == ["spec/python3"]


def test_options_and_their_values_are_completed(run: Run) -> None:
    assert completed(run, "list", "--ref") == ["--refresh"]
    assert completed(run, "list", "-o", "w") == ["wide"]
    assert completed(run, "list", "-p", "py") == ["pyimport"]
    assert completed(run, "provider", "li") == ["list"]
    assert completed(run, "kernelspec", "remove", "python3") == ["python3"]


def test_a_command_that_is_not_there_completes_to_nothing(run: Run) -> None:
    assert completed(run, "nonsense", "a") == []


def test_a_provider_that_prints_or_fails_or_hangs_disturbs_no_completion(
    run: Run, tmp_path: Path
) -> None:
    env = install_provider(
        tmp_path / "site",
        """
        def find_kernels(self):
            import sys, threading
            print("noise")
            print("noise", file=sys.stderr)
            yield "x", {}
            threading.Event().wait()
        """,
    )

    assert completed(run, "info", "pyimp", **env) == ["pyimport/kernel"]
    assert completed(run, "info", "oblong", **env) == ["oblong/x"]


def test_the_script_is_only_for_shells_that_are_known(run: Run) -> None:
    result = run("completion", "ksh")

    assert "'ksh' is not one of 'bash', 'zsh', 'fish'" in result.stderr
    assert result.returncode == 2
