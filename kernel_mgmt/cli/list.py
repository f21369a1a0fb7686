"""``kernel-mgmt list``: the kernel types that can be started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kernel_mgmt.discovery import KernelFinder

from ._status import Status
from ._terminal import print_json, print_table, say

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes

__all__ = ("command",)


@click.command("list")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "json", "name"]),
    default="table",
    help="How it is printed.",
)
def command(output: str) -> int:
    """List the kernel types that can be started."""
    finder = KernelFinder.from_entrypoints()
    kernels = dict(finder.find_kernels())
    if output == "json":
        print_json({"kernels": kernels})
    elif output == "name":
        for name in kernels:
            click.echo(name)
    else:
        _print_table(kernels, wide=output == "wide")
    for problem in finder.problems:
        say(str(problem))
    return Status.OK if kernels else Status.NO_SUCH_KERNEL


def _print_table(kernels: dict[str, KernelAttributes], *, wide: bool) -> None:
    header = ("NAME", "DISPLAY NAME", "LANGUAGE", *(("FROM",) if wide else ()))
    rows = [
        (
            name,
            found.get("display_name", ""),
            found.get("language", ""),
            *((found.get("resource_dir", ""),) if wide else ()),
        )
        for name, found in kernels.items()
    ]
    print_table(header, rows)
