"""A terminal emulator with a program in it: what is typed, and what is seen."""

from __future__ import annotations

import os
import termios
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

import pexpect

from .conftest import PROGRAM

ENTER, TAB, BACKTAB, UP = "\r", "\t", "\x1b[Z", "\x1b[A"
CTRL_C, CTRL_D, CTRL_R, ALT_ENTER = "\x03", "\x04", "\x12", "\x1b\r"
COLUMNS, LINES = 110, 60
# How long something may take to be seen (seconds).
PATIENCE = 60.0


class Screen:
    """What a person sees of a program and does with it.

    :ivar raw: all that the program has written
    """

    def __init__(self, child: pexpect.spawn[str]) -> None:
        # pyte has no types.
        pyte: Any = import_module("pyte")
        self.child = child
        self.raw = ""
        self._screen: Any = pyte.Screen(COLUMNS, LINES)
        # The terminal tells where its cursor is when it is asked.
        self._screen.write_process_input = child.send
        self._stream: Any = pyte.Stream(self._screen)

    @property
    def text(self) -> str:
        """The lines that are seen."""
        lines: list[str] = self._screen.display
        return "\n".join(line.rstrip() for line in lines).rstrip()

    def type(self, *keys: str) -> None:
        self.child.send("".join(keys))

    def see(self, *texts: str) -> str:
        """Wait until some texts are seen at the same time; return all that is seen."""
        until = monotonic() + PATIENCE
        while not all(text in self.text for text in texts):
            assert monotonic() < until, f"{texts} are not seen:\n{self.text}"
            try:
                self._read()
            except pexpect.EOF:
                raise AssertionError(f"it has ended before {texts}:\n{self.text}") from None
        return self.text

    def count(self, text: str, times: int) -> None:
        """Wait until a text is seen so often."""
        until = monotonic() + PATIENCE
        while self.text.count(text) != times:
            assert monotonic() < until, f"{text} is not seen {times} times:\n{self.text}"
            self._read()

    def run(self, cell: str, *texts: str) -> str:
        """Type a cell of one line at an empty prompt, and wait for what comes of it."""
        self.type(cell, ENTER)
        return self.see(*texts)

    def end(self) -> int | None:
        """Wait until the program has ended; return its exit status."""
        until = monotonic() + PATIENCE
        while monotonic() < until:
            try:
                self._read()
            except pexpect.EOF:
                self.child.wait()
                return self.child.exitstatus
        raise AssertionError(f"it does not end:\n{self.text}")

    def resize(self, lines: int, columns: int) -> None:
        child: Any = self.child
        child.setwinsize(lines, columns)
        self._screen.resize(lines, columns)

    def settings(self) -> list[Any]:
        """How the terminal treats what is typed."""
        return termios.tcgetattr(self.child.child_fd)

    def _read(self) -> None:
        try:
            written = self.child.read_nonblocking(65536, 0.2)
        except pexpect.TIMEOUT:
            return
        self.raw += written
        self._stream.feed(written)


@contextmanager
def console(*arguments: str, cwd: Path, **env: str) -> Generator[Screen]:
    """Run ``kernel-mgmt console`` in a terminal, which is closed in the end."""
    with terminal(PROGRAM, "console", *arguments, cwd=cwd, **env) as screen:
        yield screen


@contextmanager
def terminal(program: Path, *arguments: str, cwd: Path, **env: str) -> Generator[Screen]:
    """Run a program in a terminal, which is closed in the end."""
    child: pexpect.spawn[str] = pexpect.spawn(
        str(program),
        list(arguments),
        timeout=PATIENCE,
        encoding="utf-8",
        codec_errors="replace",
        dimensions=(LINES, COLUMNS),
        cwd=str(cwd),
        env={**os.environ, "TERM": "xterm-256color", **env},
    )
    try:
        yield Screen(child)
    finally:
        child.close(force=True)
