"""What the terminal does with keys that nobody reads yet."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ("drop_typed", "no_echo")


@contextmanager
def no_echo() -> Generator[None]:
    """Let the terminal not show what is typed, as the prompt that follows will do so.

    Ctrl-C still sends its signal, and leaves no ``^C`` in the output.
    """
    try:
        import termios
    except ImportError:  # Windows, where there is no such thing
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    quiet = before.copy()
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def drop_typed() -> None:
    """Let the terminal drop what was typed and not read."""
    try:
        import termios
    except ImportError:
        return
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
