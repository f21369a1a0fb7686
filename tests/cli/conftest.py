"""Run the command as a person would: as a program, of the tested environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any, TypeAlias

import pexpect
import pytest

from kernel_mgmt.cli import main

PROGRAM = Path(sys.executable).with_name("kernel-mgmt")

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Terminal: TypeAlias = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``kernel-mgmt`` with arguments, in an empty directory, with nobody at the terminal."""

    def run_command(
        *arguments: str, stdin: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=tmp_path,
            env={**os.environ, **env},
        )

    return run_command


@pytest.fixture
def run_here(run: Run, tmp_path: Path) -> Run:
    """Runs commands that start nothing as ``run`` does, in this process, which is quicker.

    What is to be imported from elsewhere is imported by a process of its own.
    """

    def run_command(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        if "PYTHONPATH" in env:
            return run(*arguments, **env)
        return run_in_this_process(arguments, tmp_path, env)

    return run_command


def run_in_this_process(
    arguments: Sequence[str], directory: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``kernel-mgmt`` in a directory, with more environment variables, in this process."""
    stdout, stderr = (TextIOWrapper(BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.chdir(directory)
        patch.setattr(sys, "stdin", StringIO())
        for name, value in env.items():
            patch.setenv(name, value)
        status = main(arguments)
    told = [_text_of(stream) for stream in (stdout, stderr)]
    return subprocess.CompletedProcess(arguments, status, *told)


def _text_of(stream: TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Runs ``kernel-mgmt`` with arguments at a terminal of its own, with a person at it.

    What is typed and what is shown is that of ``pexpect.spawn``; each wait has 60 s.
    """
    opened: list[pexpect.spawn[str]] = []

    def open_terminal(*arguments: str, **env: str) -> pexpect.spawn[str]:
        opened.append(at_terminal(arguments, tmp_path, env))
        return opened[-1]

    yield open_terminal
    for child in opened:
        child.close(force=True)


def at_terminal(
    arguments: Sequence[str], directory: Path, env: Mapping[str, str], *, columns: int = 120
) -> pexpect.spawn[str]:
    """Run ``kernel-mgmt`` in a directory, with more environment variables, at a terminal of its own."""
    child: pexpect.spawn[str] = pexpect.spawn(
        str(PROGRAM),
        list(arguments),
        timeout=60,
        encoding="utf-8",
        dimensions=(40, columns),
        cwd=str(directory),
        env={**os.environ, "TERM": "xterm-256color", **env},
    )
    # By default it has a moment to end, though it has ended; the types do not tell of that.
    process: Any = child
    process.ptyproc.delayafterclose = 0.0
    return child
