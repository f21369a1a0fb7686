"""Fill a file system, but for so much."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

NAME = "filler"
BLOCK_BYTES = 4096


def leave_files(directory: str, number: int) -> None:
    """Leave room in the file system of a directory for so many files, whatever is in them."""
    for path in _fill_with_files(_empty(directory))[:number]:
        path.unlink()


def leave_blocks(directory: str, number: int) -> None:
    """Leave room in the file system of a directory for so many blocks, in whatever files."""
    path = _fill_with_blocks(_empty(directory))
    os.truncate(path, max(0, path.stat().st_size - number * BLOCK_BYTES))


def leave_nothing(directory: str) -> None:
    """Leave no room in the file system of a directory for anything."""
    filler = _empty(directory)
    _fill_with_blocks(filler)
    _fill_with_files(filler)


def files_besides(directory: str) -> list[str]:
    """What else there is in a directory."""
    return [name for name in os.listdir(directory) if name != NAME]


def _empty(directory: str) -> Path:
    filler = Path(directory, NAME)
    shutil.rmtree(filler, ignore_errors=True)
    filler.mkdir()
    return filler


def _fill_with_files(filler: Path) -> list[Path]:
    made: list[Path] = []
    with suppress(OSError):
        while True:
            path = filler / str(len(made))
            path.touch()
            made.append(path)
    return made


def _fill_with_blocks(filler: Path) -> Path:
    path = filler / "blocks"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * BLOCK_BYTES):
            pass
    return path
