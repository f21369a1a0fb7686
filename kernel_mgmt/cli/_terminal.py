"""What goes to the terminal: data to stdout, talk to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

import click

__all__ = ("print_json", "print_table", "progress", "say")


def say(message: str) -> None:
    """Tell the user something that is no data, on stderr."""
    click.echo(message, err=True)


def print_json(value: object) -> None:
    """Print data as JSON: indented, with keys as they are."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in aligned columns, which are never cut: other programs read them, too."""
    table = [tuple(header), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@contextmanager
def progress(what: str) -> Generator[None]:
    """Show on stderr that something goes on which may take a while; nothing if nobody watches."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
