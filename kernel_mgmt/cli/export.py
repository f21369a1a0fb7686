"""``kernel-mgmt export``: write kernelspecs by which every Jupyter program finds a kernel type."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.jupyter._export import (
    Exported,
    export_names,
    find_exported,
    remove_exported,
    stands_for,
    write_exported,
)
from kernel_mgmt.paths import jupyter_data_dir, kernel_search_path

from ._complete import KernelTypeName
from ._status import CommandError, Status
from ._terminal import print_line, say

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes, Problem

    Kernels = Mapping[str, KernelAttributes]

__all__ = ("command",)


@click.command("export")
@click.argument("kernels", metavar="[KERNEL]...", nargs=-1, type=KernelTypeName())
@click.option("--all", "every", is_flag=True, help="All kernel types of other providers than spec.")
@click.option("--user", is_flag=True, help="For this user, which is the default.")
@click.option("--sys-prefix", is_flag=True, help="For this Python environment.")
@click.option("--prefix", type=click.Path(file_okay=False), help="For the environment there.")
@click.option("--remove", is_flag=True, help="Remove what was written for these, or for --all.")
@click.option(
    "--sync", is_flag=True, help="Bring what was written up to date, and remove what has gone."
)
def command(
    kernels: tuple[str, ...],
    every: bool,
    user: bool,
    sys_prefix: bool,
    prefix: str | None,
    remove: bool,
    sync: bool,
) -> int:
    """Write kernelspecs that stand for kernel types.

    JupyterLab, nbconvert, editors and the rest find and start them like any other, without
    configuration. The kernelspecs of this machine (spec/...) need none: they are found already.
    """
    if (kernels and every) or not (kernels or every or sync):
        raise click.UsageError("Name kernel types, or say --all.")
    if user + sys_prefix + (prefix is not None) > 1:
        raise click.UsageError("--user, --sys-prefix and --prefix exclude each other.")
    if remove and sync:
        raise click.UsageError("--remove and --sync exclude each other.")
    user_directory = os.path.join(jupyter_data_dir(), "kernels")
    named = user_directory if user else _directory_below(sys.prefix if sys_prefix else prefix)
    written = find_exported(kernel_search_path() if named is None else [named])
    if remove:
        return _remove(kernels, written)
    finder = KernelFinder.from_entrypoints()
    known = dict(finder.find_kernels())
    for problem in finder.problems:
        say(str(problem))
    kept = _sync(known, finder.problems, written) if sync else True
    chosen = _all(known) if every else [_check(finder, known, name) for name in kernels]
    names = export_names(known, written)
    parent = named or user_directory
    asked = [Exported(os.path.join(parent, names[each]), each) for each in chosen]
    done = [_write(exported, known) for exported in asked]
    return Status.OK if kept and all(done) else Status.RAISED


def _directory_below(prefix: str | None) -> str | None:
    return prefix and os.path.join(os.path.abspath(prefix), "share", "jupyter", "kernels")


def _write(exported: Exported, known: Kernels) -> bool:
    """Write it, or tell why not."""
    try:
        write_exported(exported, known[exported.kernel_type])
    except OSError as error:
        say(f"{exported.kernel_type}: not exported: {error}")
        return False
    print_line(f"{exported.name}  {exported.kernel_type}  {exported.directory}")
    return True


def _take_away(exported: Exported, reason: str = "") -> bool:
    """Remove it, or tell why not."""
    try:
        remove_exported(exported)
    except OSError as error:
        say(f"{exported.directory}: not removed: {error}")
        return False
    say(f"Removed {exported.directory}{reason}")
    return True


def _remove(kernels: tuple[str, ...], written: Iterable[Exported]) -> int:
    wanted = {name.lower() for name in kernels}
    chosen = [
        exported
        for exported in written
        if not wanted or {exported.name, exported.kernel_type.lower()} & wanted
    ]
    done = [_take_away(exported) for exported in chosen]
    missing = wanted - {name for each in chosen for name in (each.name, each.kernel_type.lower())}
    if missing:
        raise CommandError(f"Not exported: {', '.join(sorted(missing))}", Status.NO_SUCH_KERNEL)
    return Status.OK if all(done) else Status.RAISED


def _sync(known: Kernels, problems: Iterable[Problem], written: Iterable[Exported]) -> bool:
    # What a provider cannot tell at the moment is not gone.
    in_doubt = {problem.provider for problem in problems}
    done = [_sync_one(known, in_doubt, exported) for exported in written]
    return all(done)


def _sync_one(known: Kernels, in_doubt: set[str], exported: Exported) -> bool:
    if exported.kernel_type in known:
        return _write(exported, known)
    if exported.kernel_type.partition("/")[0] in in_doubt:
        say(f"{exported.name}: left as it is, since {exported.kernel_type} cannot be looked up")
        return True
    return _take_away(exported, f": there is no {exported.kernel_type} any more")


def _all(known: Kernels) -> list[str]:
    chosen: list[str] = []
    for name, attributes in known.items():
        if name.startswith("spec/"):
            continue
        if lacks := _required(attributes):
            say(f"{name}: left out, since it needs parameters: {', '.join(lacks)}")
        else:
            chosen.append(name)
    return chosen


def _check(finder: KernelFinder, known: Kernels, name: str) -> str:
    kernel_type = next((full for full in known if full.lower() == name.lower()), name)
    attributes = known.get(kernel_type) or finder.get(name)
    if "/" not in kernel_type or kernel_type.startswith("spec/"):
        reason = "Jupyter's programs find its kernelspec already"
        if stands_for(attributes.get("metadata")) is not None:
            reason = "it is what was exported"
        raise CommandError(f"{name} is not exported: {reason}", Status.USAGE)
    if lacks := _required(attributes):
        message = f"{name} is not exported: it needs parameters: {', '.join(lacks)}"
        raise CommandError(message, Status.USAGE)
    return kernel_type


def _required(attributes: KernelAttributes) -> list[str]:
    """The launch parameters without which there is no kernel, and that nobody could give."""
    schema = attributes.get("launch_parameters", {})
    properties = schema.get("properties", {})
    return [
        name for name in schema.get("required", ()) if "default" not in properties.get(name, {})
    ]
