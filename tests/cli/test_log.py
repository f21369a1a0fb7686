"""A log is read while it grows, and while its beginning is taken away."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kernel_mgmt.cli._log import KEPT_BYTES, LogReader

if sys.platform == "win32":
    pytest.skip("elsewhere: the guardian is a program of POSIX systems", allow_module_level=True)

from kernel_mgmt_subprocess import _guardian_main
from kernel_mgmt_subprocess._guardian_main import LOG_BYTES, collapse, cut


def numbered(first: int, count: int) -> bytes:
    """Lines of 100 bytes, each with its number."""
    return b"".join(b"%99d\n" % number for number in range(first, first + count))


@pytest.fixture(params=["collapsed", "moved"])
def cut_log(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Cuts a log as the guardian does, in one of its two ways."""

    def by_moving(descriptor: int, length: int) -> bool:
        return False

    def cut_log(log: Path) -> None:
        cut(bytes(log), collapse=collapse if request.param == "collapsed" else by_moving)

    return cut_log


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.fixture
def reader(log: Path) -> Iterator[LogReader]:
    with closing(LogReader(str(log))) as reader:
        yield reader


def append(log: Path, content: bytes) -> None:
    with log.open("ab") as file:
        file.write(content)


def read(reader: LogReader) -> bytes:
    """All that is there, as the command reads it."""
    content = b"".join(reader.read())
    while reader.is_in_doubt:
        content += b"".join(reader.read())
    return content


def test_it_is_known_what_the_guardian_leaves() -> None:
    assert KEPT_BYTES == _guardian_main.KEPT_BYTES


def test_what_is_appended_is_read_once(log: Path, reader: LogReader) -> None:
    parts: list[bytes] = []
    for part in (b"a\n", b"no end", b"", b" of a line\n" * 20_000):
        append(log, part)
        parts.append(read(reader))

    assert parts == [b"a\n", b"no end", b"", b" of a line\n" * 20_000]


def test_a_cut_loses_and_repeats_nothing(
    log: Path, reader: LogReader, cut_log: Callable[[Path], None]
) -> None:
    lines = LOG_BYTES // 100 + 1000
    append(log, numbered(0, lines))
    content = read(reader)
    append(log, numbered(lines, 10))
    cut_log(log)
    append(log, numbered(lines + 10, 10))
    content += read(reader)
    append(log, numbered(lines + 20, lines))
    content += read(reader)
    cut_log(log)
    append(log, numbered(2 * lines + 20, 10))
    content += read(reader)

    assert content == numbered(0, 2 * lines + 30)


def test_a_cut_of_a_log_that_repeats_itself_loses_and_repeats_nothing(
    log: Path, reader: LogReader, cut_log: Callable[[Path], None]
) -> None:
    append(log, b"the same again\n" * (LOG_BYTES // 15 + 1000))
    read(reader)
    cut_log(log)
    append(log, b"the same again\n" * 10)

    assert read(reader) == b"the same again\n" * 10


def test_a_log_that_has_grown_beyond_its_place_after_a_cut_is_read_on(
    log: Path, reader: LogReader, cut_log: Callable[[Path], None]
) -> None:
    lines = LOG_BYTES // 100 + 1
    append(log, numbered(0, lines))
    content = read(reader)
    cut_log(log)
    append(log, numbered(lines, lines - 1000))
    content += read(reader)

    assert content == numbered(0, 2 * lines - 1000)


def test_what_was_cut_before_it_was_read_is_all_that_is_lost(
    log: Path, reader: LogReader, cut_log: Callable[[Path], None]
) -> None:
    append(log, numbered(0, 10))
    read(reader)
    append(log, numbered(10, LOG_BYTES // 50))
    cut_log(log)
    numbers = [int(line) for line in read(reader).splitlines()]

    assert numbers == list(range(numbers[0], 10 + LOG_BYTES // 50))
    assert len(numbers) > KEPT_BYTES // 100 - 2


@pytest.mark.parametrize(
    ("content", "lines", "tail"),
    [
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"a\n", 5, b"a\n"),
        (b"", 5, b""),
        (b"a\nb\n", 0, b""),
        (b"a\n10%\r20%\r30%\nb\n", 2, b"10%\r20%\r30%\nb\n"),
        (numbered(0, 5000), 4000, numbered(1000, 4000)),
    ],
)
def test_the_last_lines_are_where_it_begins(
    log: Path, reader: LogReader, content: bytes, lines: int, tail: bytes
) -> None:
    append(log, content)
    reader.go_to_last(lines)
    first = read(reader)
    append(log, b"more\n")

    assert first == tail
    assert read(reader) == b"more\n"
