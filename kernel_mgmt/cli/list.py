"""``kernel-mgmt list``: the kernel types that can be started."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from kernel_mgmt.discovery import KernelFinder

from ._complete import ProviderId
from ._form import output_option
from ._listing import kernel_as_json, parameters_of, place, problem_as_json, tell_problems
from ._status import Status
from ._terminal import print_json, print_line, print_table, progress, say

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes, Problem

    Found: TypeAlias = tuple[str, KernelAttributes]
    Row: TypeAlias = tuple[str, ...]

__all__ = ("command",)

# What `jupyter kernelspec list --json` tells of a kernelspec.
_SPEC_KEYS = ("argv", "env", "display_name", "language", "interrupt_mode", "metadata")


@click.command("list")
@click.option("-p", "--provider", type=ProviderId(), help="Ask this provider only.")
@output_option("table", "wide", "json", "name")
@click.option(
    "--refresh", is_flag=True, help="Have providers look anew that remember what they have found."
)
def command(provider: str | None, output: str, refresh: bool) -> int:
    """List the kernel types that can be started.

    What is broken is told on stderr. The exit status is 3 if there is no kernel type.
    """
    finder = KernelFinder.from_entrypoints()
    if refresh:
        finder.refresh()
    kernels = finder.find_kernels(provider_id=provider)
    if output == "name":
        found = list(_print_names(kernels))
    else:
        with progress("Waiting for the providers"):
            found = list(kernels)
    problems = [item for item in finder.problems if provider in (None, item.provider)]
    if output == "json":
        _print_json(found, problems)
    elif output != "name" and found:
        print_table(*_wide_table(found, finder) if output == "wide" else _table(found))
    tell_problems(problems)
    if refresh and not any(report.has_refresh for report in finder.describe_providers()):
        say("No provider remembers what it has found: each listing looks anew.")
    if not found:
        say("There are no kernel types; one way to get one is: pip install ipykernel")
    return Status.OK if found else Status.NO_SUCH_KERNEL


def _print_names(kernels: Iterable[Found]) -> Iterator[Found]:
    for name, attributes in kernels:
        # At once, for whoever waits: another provider may take its time.
        print_line(name)
        yield name, attributes


def _table(kernels: Iterable[Found]) -> tuple[Row, list[Row]]:
    rows: list[Row] = [
        (name, told.get("display_name", ""), told.get("language", ""), place(told))
        for name, told in kernels
    ]
    return ("NAME", "DISPLAY NAME", "LANGUAGE", "FROM"), rows


def _wide_table(kernels: Iterable[Found], finder: KernelFinder) -> tuple[Row, list[Row]]:
    from shlex import join

    origins = {
        report.id: " ".join(filter(None, (report.distribution, report.version)))
        for report in finder.describe_providers()
    }
    header = ("NAME", "DISPLAY NAME", "LANGUAGE", "PROVIDED BY", "PARAMETERS", "COMMAND", "FROM")
    rows: list[Row] = [
        (
            name,
            told.get("display_name", ""),
            told.get("language", ""),
            origins.get(name.partition("/")[0]) or "-",
            ",".join(parameters_of(told)) or "-",
            join(told.get("argv", ())) or "-",
            place(told) or "-",
        )
        for name, told in kernels
    ]
    return header, rows


def _print_json(kernels: Iterable[Found], problems: Iterable[Problem]) -> None:
    told = {name: kernel_as_json(name, attributes) for name, attributes in kernels}
    usable = {name: kernel for name, kernel in told.items() if kernel is not None}
    specs = {
        kernel["name"]: _as_kernelspec(kernel)
        for kernel in usable.values()
        if kernel["provider"] == "spec"
    }
    print_json(
        {"kernels": usable, "kernelspecs": specs, "problems": list(map(problem_as_json, problems))}
    )


def _as_kernelspec(kernel: dict[str, Any]) -> dict[str, Any]:
    spec = {key: kernel[key] for key in _SPEC_KEYS}
    return {"resource_dir": kernel["resource_dir"], "spec": spec}
