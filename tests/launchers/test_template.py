"""The program of a kernel, where a kernelspec names Python without a path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kernel_mgmt_subprocess import SubprocessKernelLauncher


def command(tmp_path: Path, *argv: str) -> list[str]:
    return SubprocessKernelLauncher(argv, runtime_dir=tmp_path).format_kernel_cmd("file")


@pytest.mark.parametrize("name", ["python", "python3", f"python3.{sys.version_info.minor}"])
def test_a_bare_python_becomes_the_running_interpreter(name: str, tmp_path: Path) -> None:
    assert command(tmp_path, name, name) == [sys.executable, name]


@pytest.mark.parametrize("name", ["/usr/bin/python", "python2", "python3.0", "pythonw", "R"])
def test_any_other_program_stays(name: str, tmp_path: Path) -> None:
    assert command(tmp_path, name) == [name]


def test_placeholders_are_filled_in(tmp_path: Path) -> None:
    assert command(tmp_path, "R", "--args={connection_file}", "{other}") == [
        "R",
        "--args=file",
        "{other}",
    ]
