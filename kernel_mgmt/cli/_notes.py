"""What kernel_mgmt writes to its loggers, told to the user."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ._terminal import on_one_line, progress, say

if TYPE_CHECKING:
    from ._progress import ProgressLine

__all__ = ("progress_with_notes", "told_notes")


@contextmanager
def told_notes() -> Generator[None]:
    """Tell on stderr all that kernel_mgmt, its launchers and its providers log in the block."""
    with _handled_by(_Teller(), logging.DEBUG):
        yield


@contextmanager
def progress_with_notes(what: str) -> Generator[None]:
    """Show what goes on, and with it what kernel_mgmt, its launchers and its providers log of it."""
    with progress(what) as line:
        if line is None:
            yield
            return
        with _handled_by(_NoteOnLine(line), logging.INFO):
            yield


@contextmanager
def _handled_by(handler: logging.Handler, level: int) -> Generator[None]:
    root = logging.getLogger()
    level_before = root.level
    root.addHandler(handler)
    root.setLevel(min(level, level_before))
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level_before)


class _Teller(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        # A provider of others has a name of its own, and warns at least.
        self.addFilter(lambda record: record.name.startswith("kernel_mgmt") or _is_grave(record))

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


class _NoteOnLine(logging.Handler):
    def __init__(self, line: ProgressLine) -> None:
        super().__init__()
        self._line = line

    def emit(self, record: logging.LogRecord) -> None:
        if _is_grave(record):
            # Logging would print it if there were no handler.
            if logging.getLogger().handlers == [self]:
                say(self.format(record))
        elif record.levelno == logging.INFO and record.name.startswith("kernel_mgmt"):
            self._line.tell(on_one_line(record.getMessage()))


def _is_grave(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
