"""The files of a kernel."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from kernel_mgmt_subprocess._files import read_tail, remove_files


def test_files_and_directories_are_removed(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "a").touch()
    (tmp_path / "b").touch()
    remove_files([str(tmp_path / "directory"), str(tmp_path / "b")])

    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_keeps_nothing_else_from_being_removed(tmp_path: Path) -> None:
    (tmp_path / "b").touch()
    remove_files([str(tmp_path / "a"), str(tmp_path / "b")])

    assert list(tmp_path.iterdir()) == []


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "a").touch()
    (tmp_path / "link").symlink_to(tmp_path / "directory")
    remove_files([str(tmp_path / "link")])

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "directory"]


def test_the_tail_of_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_tail(str(tmp_path / "a")) == ""


def test_a_tail_that_begins_within_a_character_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x" + "é" * 4096)

    assert read_tail(str(tmp_path / "a")).endswith("é")


def test_a_file_that_becomes_shorter_while_its_end_is_read_has_a_tail(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x" * 10_000)
    stop = Event()

    def cut_and_write() -> None:
        with (tmp_path / "a").open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"x" * 50_000)
                file.truncate(10_000)

    thread = Thread(target=cut_and_write)
    thread.start()
    tails = {read_tail(str(tmp_path / "a"))[-1:] for _ in range(5000)}
    stop.set()
    thread.join()

    assert tails == {"x"}
