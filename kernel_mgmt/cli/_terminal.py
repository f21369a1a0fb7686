"""What goes to the terminal: data to stdout, talk to stderr.

Data goes by ``print``: ``click.echo`` would send UTF-8 to a terminal that knows ASCII alone.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TextIO

import click

from ._progress import ProgressLine, aside, shown
from ._status import CommandError, Status

__all__ = (
    "asks_nothing",
    "confirm",
    "has_user",
    "on_one_line",
    "print_json",
    "print_line",
    "print_table",
    "printable",
    "progress",
    "say",
)

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


def say(message: str) -> None:
    """Tell the user something that is no data, on stderr."""
    # With stderr closed, print would take stdout.
    if sys.stderr is not None:
        with aside():
            print(printable(message), file=sys.stderr, flush=True)


def print_line(text: str) -> None:
    """Print a line of data, at once: also where progress is shown, and for whoever waits for it."""
    with aside():
        print(text, flush=True)


def print_json(value: object) -> None:
    """Print data as JSON: indented, with keys as they are."""
    import json

    # What stdout has no characters for would be written by an escape of Python.
    ascii_only = not _encoding(sys.stdout).startswith("utf")
    print_line(json.dumps(value, indent=2, ensure_ascii=ascii_only, allow_nan=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in aligned columns, which are never cut: other programs read them, too."""
    table = [[on_one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        print("  ".join(cells).rstrip())


def on_one_line(text: str) -> str:
    """Return text of a stranger with what would break the line, or steer the terminal, escaped."""
    if text.isprintable():
        return text
    from kernel_mgmt.discovery._faults import on_one_line

    return on_one_line(text)


def printable(text: str) -> str:
    """Return text of a stranger without its colours, and with what else steers the terminal escaped.

    Lines stay lines.
    """
    if text.isprintable():
        return text
    lines = _COLOURS.sub("", text).split("\n")
    return "\n".join(on_one_line(line.expandtabs()) for line in lines)


def has_user() -> bool:
    """Whether somebody can be asked: stdin and stderr are a terminal, and nothing forbids it."""
    return not asks_nothing() and _is_terminal(sys.stdin) and _is_terminal(sys.stderr)


def asks_nothing() -> bool:
    """Whether the option ``--no-input`` forbids to ask."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("no_input"))


def confirm(question: str, *, yes: bool = False) -> None:
    """Ask the user for consent, unless it has been given.

    :param yes: whether it has been given, by an option ``--yes``
    :raises CommandError: if nobody can be asked, or the user does not consent
    """
    if yes:
        return
    if not has_user():
        message = f"{question} Nobody can be asked here; say --yes if it is meant"
        raise CommandError(message, Status.USAGE)
    if not click.confirm(printable(question), err=True):
        raise CommandError("Nothing was done", Status.RAISED)


@contextmanager
def progress(what: str) -> Generator[ProgressLine | None]:
    """Show on stderr what goes on if it takes more than a moment; nothing if nobody watches.

    Meanwhile, print by :func:`say` and :func:`print_line` alone.

    :param what: such as ``"Starting spec/python3"``
    :return: the line that shows it, if somebody watches
    """
    if not _is_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        yield None
        return
    columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
    line = ProgressLine(on_one_line(what), sys.stderr, columns - 1)
    with shown(line):
        yield line


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(
        2 if east_asian_width(character) in "FW" else 1
        for character in text
        if not combining(character)
    )


def _encoding(stream: TextIO | None) -> str:
    return ((stream and stream.encoding) or "utf-8").lower()


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
