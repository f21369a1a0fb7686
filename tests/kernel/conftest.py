"""Each test is looked through for what it left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.launchers.conftest import nothing_is_left, started_zmq

__all__ = ("nothing_is_left", "started_zmq")


@pytest.fixture
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's runtime directory, which must be empty after the test."""
    path = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(path))
    return path
