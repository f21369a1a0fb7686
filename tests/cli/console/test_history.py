"""What was typed at earlier consoles."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from kernel_mgmt.cli._console._history import HistoryFile, merge_histories


def test_cells_come_back_as_they_were_typed(tmp_path: Path) -> None:
    cells = ["1 + 1", "def f():\n    return 'ä'", "lone \udc80 surrogate"]
    for cell in cells:
        HistoryFile(tmp_path / "history").append(cell)

    assert HistoryFile(tmp_path / "history").read() == cells


def test_only_the_user_can_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        HistoryFile(tmp_path / "new" / "history").append("secret = 1")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new" / "history").stat().st_mode) == 0o600


def test_what_is_no_cell_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_bytes(b'cut off"\n"good"\n{"a": 1}\n\xff\n')

    assert HistoryFile(path).read() == ["good"]


def test_a_file_that_cannot_be_is_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = HistoryFile(tmp_path)
    file.append("1")

    assert file.read() == []
    assert "the history cannot be kept" in caplog.text


def test_each_language_has_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", "data")

    assert HistoryFile.of_language("C++").path == Path("data/kernel-mgmt/history-c++.jsonl")
    assert HistoryFile.of_language("../x").path == Path("data/kernel-mgmt/history--x.jsonl")
    assert HistoryFile.of_language("").path == Path("data/kernel-mgmt/history-unknown.jsonl")


def test_of_cells_that_come_again_the_latest_counts() -> None:
    assert merge_histories(["a", "b", "c"], ["b", "d", "a"]) == ["c", "b", "d", "a"]
