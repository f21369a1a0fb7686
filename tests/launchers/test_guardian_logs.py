"""The log of a kernel is kept short while the kernel goes on."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import anyio
import pytest

from kernel_mgmt_subprocess import KernelManager, SubprocessKernelLauncher
from kernel_mgmt_subprocess._guardian_main import LOG_BYTES, collapse, cut

pytestmark = pytest.mark.anyio

if sys.platform != "linux":
    pytest.skip("Linux alone tells that a file grows", allow_module_level=True)

# Each line has its number, and 100 bytes.
WRITE = """
import os, sys, time
def write(first, count):
    for number in range(first, first + count):
        os.write(1, b'%99d\\n' % number)
"""
LINES_OF_A_LOG = LOG_BYTES // 100


async def launch(script: str, runtime_dir: Path) -> tuple[KernelManager, Path]:
    """Launch a script as a kernel, and return its log besides."""
    argv = [sys.executable, "-S", "-c", WRITE + script]
    _, manager = await SubprocessKernelLauncher(argv, runtime_dir=runtime_dir).launch()
    return manager, Path(manager.describe()["log_file"])


async def was_cut(log: Path) -> list[int]:
    """Return the numbers of the lines when the log has been cut and grows no more."""
    with anyio.fail_after(30):
        while not (content := log.read_bytes()).endswith(b" -1\n") or len(content) > LOG_BYTES:
            await anyio.sleep(0.005)
    return [int(line) for line in content.split()]


async def test_a_log_that_grows_is_cut_and_keeps_its_last_lines(runtime_dir: Path) -> None:
    lines = LINES_OF_A_LOG * 5
    manager, log = await launch(f"write(0, {lines}); write(-1, 1); time.sleep(60)", runtime_dir)
    numbers = await was_cut(log)
    alive = await manager.is_alive()
    await manager.kill()
    await manager.cleanup()

    assert alive
    assert len(numbers) > LINES_OF_A_LOG // 4
    assert numbers[-2:] == [lines - 1, -1]
    assert numbers[:-1] == sorted(numbers[:-1])
    assert manager.exit_status is not None
    assert manager.exit_status.tail.split()[-2:] == [str(lines - 1), "-1"]


async def test_a_log_is_cut_again_when_it_has_grown_again(
    runtime_dir: Path, tmp_path: Path
) -> None:
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    lines = LINES_OF_A_LOG * 2
    manager, log = await launch(
        f"write(0, {lines}); write(-1, 1); open({str(go_on)!r}).read();"
        f"write(0, {lines * 2}); write(-1, 1); time.sleep(60)",
        runtime_dir,
    )
    first = await was_cut(log)
    await anyio.to_thread.run_sync(go_on.write_text, "")
    with anyio.fail_after(30):
        while (second := await was_cut(log))[-2] == first[-2]:
            await anyio.sleep(0.005)
    await manager.kill()
    await manager.cleanup()

    assert first[-2] == lines - 1
    assert second[-2] == lines * 2 - 1


@contextmanager
def writing(log: Path, lines: int) -> Generator[Popen[bytes]]:
    """Have a process append numbered lines to a file, which it opened before it was there."""
    script = f"{WRITE}write(0, {lines})"
    with log.open("ab") as file, Popen([sys.executable, "-S", "-c", script], stdout=file) as writer:
        yield writer


def moving(descriptor: int, length: int) -> bool:
    """Take nothing away, as on a file system that cannot, so that the end is moved."""
    return False


def can_collapse(directory: Path) -> bool:
    """Whether the file system of a directory can take away the beginning of a file."""
    with (directory / "tried").open("wb+") as file:
        file.truncate(1 << 20)
        return collapse(file.fileno(), 1 << 19)


def test_a_short_log_stays_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a\n" * 50)
    cut(os.fsencode(log), limit=100, kept=10)

    assert log.read_bytes() == b"a\n" * 50


def test_a_cut_keeps_whole_lines_and_the_mode_and_whoever_appends_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("ab", buffering=0) as file:
        log.chmod(0o600)
        file.write(b"".join(b"line %d\n" % number for number in range(100)))
        cut(os.fsencode(log), limit=100, kept=20)
        file.write(b"next\n")

    assert log.read_bytes() == b"line 98\nline 99\nnext\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_cut_keeps_the_end_of_a_line_that_is_longer_than_all_that_is_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"a" * 1000)
    cut(os.fsencode(log), limit=100, kept=20)

    assert log.read_bytes() == b"a" * 20


def test_a_cut_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a" * 1000)
    (tmp_path / "log").symlink_to("file")

    with pytest.raises(OSError, match="symbolic links"):
        cut(os.fsencode(tmp_path / "log"), limit=100, kept=20)


@pytest.mark.parametrize("collapse", [collapse, moving], ids=["collapse", "move"])
def test_a_log_that_is_written_to_without_end_is_cut_all_the_same(
    tmp_path: Path, collapse: Callable[[int, int], bool]
) -> None:
    log = tmp_path / "log"
    with writing(log, lines=1 << 60) as writer:
        while log.stat().st_size < 2 * LOG_BYTES:
            pass
        cut(os.fsencode(log), collapse=collapse)
        writer.kill()

    assert int(log.read_bytes().split(maxsplit=1)[0]) > 0


def test_a_log_loses_nothing_that_is_written_while_it_is_cut(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = LINES_OF_A_LOG * 10
    if not can_collapse(tmp_path):
        pytest.skip("elsewhere: this file system cannot take away the beginning of a file")
    with writing(log, lines) as writer:
        while writer.poll() is None:
            cut(os.fsencode(log))
    numbers = [int(line) for line in log.read_bytes().split()]

    assert len(numbers) < lines // 2
    assert numbers[1:] == list(range(lines))[1 - len(numbers) :]


def test_a_log_that_grows_by_much_while_its_end_is_moved_keeps_the_new_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"old\n" * 1000)

    def grow(descriptor: int, length: int) -> bool:
        with log.open("ab") as file:
            file.write(b"new\n" * 100_000)
        return False

    cut(os.fsencode(log), limit=1000, kept=400, collapse=grow)

    assert log.read_bytes() == b"new\n" * 99


def test_a_collapse_leaves_no_half_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"%99d\n" % number for number in range(1000)))
    if not can_collapse(tmp_path):
        pytest.skip("elsewhere: this file system cannot take away the beginning of a file")
    cut(os.fsencode(log), limit=50_000, kept=20_000)
    first, *others = log.read_bytes().splitlines()

    assert first.strip() == b""
    assert [int(line) for line in others] == list(range(1000 - len(others), 1000))
    assert 200 <= len(others) < 500
