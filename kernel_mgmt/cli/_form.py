"""The options that say how something is printed, the same for all commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import click

__all__ = ("OUTPUTS", "images_option", "output_option")

OUTPUTS = "How outputs are printed; json has those of a notebook cell."

images_option = click.option(
    "--images",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Where images are saved; by default in a new temporary directory.",
)

_Command: TypeAlias = Callable[..., int]


def output_option(
    *forms: str,
    names: tuple[str, ...] = ("-o", "--output", "output"),
    help_text: str = "How it is printed.",
) -> Callable[[_Command], _Command]:
    """Make the option ``-o`` of a command, with ``--json`` for short.

    :param forms: those that can be chosen, the one first that holds by default; ``json`` is among them
    :param names: those of the option, and last that of the keyword by which the command gets it
    """
    choice = click.option(
        *names,
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help=help_text,
    )
    in_short = click.option("--json", names[-1], flag_value="json", help="The same as -o json.")

    def decorate(function: _Command) -> _Command:
        return choice(in_short(function))

    return decorate
