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
from kernel_mgmt.paths import jupyter_data_dir

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
@click.option("--remove", is_flag=True, help="Remove what was written for these.")
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
    if remove:
        return _remove(kernels)
    finder = KernelFinder.from_entrypoints()
    known = dict(finder.find_kernels())
    for problem in finder.problems:
        say(str(problem))
    if sync:
        _sync(known, finder.problems)
    chosen = _all(known) if every else [_check(finder, known, name) for name in kernels]
    base = jupyter_data_dir()
    if sys_prefix or prefix is not None:
        base = os.path.join(os.path.abspath(prefix or sys.prefix), "share", "jupyter")
    names = export_names(known)
    for kernel_type in chosen:
        directory = os.path.join(base, "kernels", names[kernel_type])
        _write(Exported(directory, kernel_type), known)
    return Status.OK


def _write(exported: Exported, known: Kernels) -> None:
    write_exported(exported, known[exported.kernel_type])
    print_line(f"{exported.name}  {exported.kernel_type}  {exported.directory}")


def _remove(kernels: tuple[str, ...]) -> int:
    found = find_exported()
    wanted = {name.lower() for name in kernels}
    chosen = [
        exported
        for exported in found
        if not wanted or {exported.name, exported.kernel_type.lower()} & wanted
    ]
    for exported in chosen:
        remove_exported(exported)
        say(f"Removed {exported.directory}")
    missing = wanted - {name for each in chosen for name in (each.name, each.kernel_type.lower())}
    if missing:
        raise CommandError(f"Not exported: {', '.join(sorted(missing))}", Status.NO_SUCH_KERNEL)
    return Status.OK


def _sync(known: Kernels, problems: Iterable[Problem]) -> None:
    # What a provider cannot tell at the moment is not gone.
    in_doubt = {problem.provider for problem in problems}
    for exported in find_exported():
        if exported.kernel_type in known:
            _write(exported, known)
        elif exported.kernel_type.partition("/")[0] in in_doubt:
            say(f"{exported.name}: left as it is, since {exported.kernel_type} cannot be looked up")
        else:
            remove_exported(exported)
            say(f"Removed {exported.directory}: there is no {exported.kernel_type} any more")


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
