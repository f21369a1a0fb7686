"""Read from stdin what code asks for."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.client._lenient import content_of, text_of

from ._terminal import printable

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

__all__ = ("answer", "answer_nothing")

# What a terminal sends for the end of a file.
_END_OF_FILE = "\x04"


async def answer(message: Message) -> str:
    """Return the next line of stdin; past its end, what a terminal sends for that.

    At a terminal the prompt is shown, and a password without echo; a wait that is cancelled leaves
    the terminal as it was.
    """
    if not sys.stdin.isatty():
        return await _line()
    content = content_of(message)
    _show_prompt(text_of(content.get("prompt")))
    if not content.get("password"):
        return await _line()
    with _without_echo():
        return await _line()


async def answer_nothing(message: Message) -> str:
    """Answer a kernel that asks though it was told that nobody can be."""
    return ""


async def _line() -> str:
    """Read one line; what follows it is left for others."""
    line = b""
    while not line.endswith(b"\n"):
        byte = await _byte()
        if not byte:
            break
        line += byte
    if not line:
        return _END_OF_FILE
    return line.rstrip(b"\r\n").decode(sys.stdin.encoding, "replace")


async def _byte() -> bytes:
    descriptor = sys.stdin.fileno()
    if sys.platform == "win32":
        # A console cannot be waited for; a thread that reads it is left to itself.
        return await anyio.to_thread.run_sync(os.read, descriptor, 1, abandon_on_cancel=True)
    with suppress(PermissionError):  # a file, which can always be read
        await anyio.wait_readable(descriptor)
    return os.read(descriptor, 1)


def _show_prompt(prompt: str) -> None:
    stream = sys.stdout if sys.stdout.isatty() else sys.stderr
    stream.write(printable(prompt))
    stream.flush()


@contextmanager
def _without_echo() -> Generator[None]:
    if sys.platform == "win32":
        yield
        return
    import termios

    before = termios.tcgetattr(sys.stdin)
    silent = termios.tcgetattr(sys.stdin)
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
        # The end of the line was not shown either.
        sys.stderr.write("\n")
        sys.stderr.flush()
