"""The names that a shell is told, as far as they need no shell."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.shell_completion import CompletionItem

from kernel_mgmt.cli._complete import RunningKernelName
from kernel_mgmt.records import KernelRecord, ProcessIdentity, write_record


@click.command()
def command() -> None:
    """Take an argument."""


def completions(incomplete: str) -> list[CompletionItem]:
    parameter = click.Argument(["kernel"])
    return RunningKernelName().shell_complete(click.Context(command), parameter, incomplete)


@pytest.fixture
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_running_kernels_are_completed_by_their_names_and_their_ids(runtime_dir: Path) -> None:
    here = ProcessIdentity.of(os.getpid())
    path = str(runtime_dir / "kernel-a.json")
    write_record(KernelRecord("a1b2", here, path, kernel_type="spec/r", name="Analysis"))

    assert [(item.value, item.help) for item in completions("a")] == [
        ("Analysis", "spec/r"),
        ("a1b2", "spec/r"),
    ]
    assert [item.value for item in completions("a1")] == ["a1b2"]


def test_kernels_that_have_ended_are_not_completed(runtime_dir: Path) -> None:
    gone = ProcessIdentity(2**22 + 1, 0)
    write_record(KernelRecord("a1b2", gone, str(runtime_dir / "kernel-a.json")))

    assert completions("") == []


def test_what_cannot_be_read_completes_to_nothing(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runtime_dir / "file").touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime_dir / "file"))

    assert completions("") == []
