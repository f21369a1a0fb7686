"""Run the command as a person would: as a program, of the tested environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pexpect
import pytest

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
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """Runs ``kernel-mgmt`` with arguments at a terminal of its own, with a person at it.

    What is typed and what is shown is that of ``pexpect.spawn``; each wait has 60 s.
    """
    opened: list[pexpect.spawn[str]] = []

    def open_terminal(*arguments: str, **env: str) -> pexpect.spawn[str]:
        child: pexpect.spawn[str] = pexpect.spawn(
            str(PROGRAM),
            list(arguments),
            timeout=60,
            encoding="utf-8",
            dimensions=(40, 120),
            cwd=str(tmp_path),
            env={**os.environ, "TERM": "xterm-256color", **env},
        )
        opened.append(child)
        return child

    yield open_terminal
    for child in opened:
        child.close(force=True)
