"""The line that shows that something goes on."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TextIO

__all__ = ("ProgressLine", "aside", "shown")

_AFTER = 0.5
_EVERY = 0.1
_SPINNER = "|/-\\"


class ProgressLine:
    """A line at a terminal that moves, from a moment after its start until its end.

    :param length: how many characters fit on the line
    """

    def __init__(self, text: str, terminal: TextIO, length: int) -> None:
        self._text = text
        self._note = ""
        self._terminal = terminal
        self._length = length
        self._is_drawn = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._animate, daemon=True)

    def start(self) -> None:
        """Begin to show it."""
        self._thread.start()

    def end(self) -> None:
        """Take it away."""
        self._ended.set()
        self._thread.join()

    def tell(self, note: str) -> None:
        """Show a note after the text, in place of the one before; any thread may call it."""
        self._note = f": {note}"

    @contextmanager
    def aside(self) -> Generator[None]:
        """Keep it away while something else is printed; it comes back below that."""
        with self._lock:
            if self._is_drawn:
                self._write("\r\x1b[K")
                self._is_drawn = False
            yield

    def _animate(self) -> None:
        step, wait = 0, _AFTER
        while not self._ended.wait(wait):
            with self._lock:
                line = f"{_SPINNER[step % 4]} {self._text}{self._note}"
                self._write(f"\r{line[: self._length]}\x1b[K")
                self._is_drawn = True
            step, wait = step + 1, _EVERY
        with self.aside():
            pass

    def _write(self, text: str) -> None:
        with suppress(OSError):  # the terminal may have been closed
            self._terminal.write(text)
            self._terminal.flush()


_shown: ContextVar[ProgressLine | None] = ContextVar("_shown", default=None)


@contextmanager
def shown(line: ProgressLine) -> Generator[None]:
    """Show a line as long as the block."""
    token = _shown.set(line)
    line.start()
    try:
        yield
    finally:
        line.end()
        _shown.reset(token)


@contextmanager
def aside() -> Generator[None]:
    """Keep the line that is shown, if one is, out of the way of what the block prints and flushes."""
    line = _shown.get()
    if line is None:
        yield
        return
    with line.aside():
        yield
