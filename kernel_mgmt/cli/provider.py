"""``kernel-mgmt provider``: the providers that are installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from kernel_mgmt.discovery import KernelFinder

from ._form import output_option
from ._group import CommandGroup
from ._listing import problem_as_json, tell_problems
from ._status import Status
from ._terminal import print_json, print_table, progress, say

if TYPE_CHECKING:
    from kernel_mgmt.discovery import ProviderReport

__all__ = ("command",)

_HEADER = (
    "ID",
    "CLASS",
    "DISTRIBUTION",
    "VERSION",
    "LOAD",
    "LISTING",
    "KERNEL TYPES",
    "PROBLEMS",
)


@click.group("provider", cls=CommandGroup)
def command() -> None:
    """List the providers, which find and launch kernels."""


@command.command("list")
@output_option("table", "json")
def list_providers(output: str) -> int:
    """List the providers, with their times and problems.

    Each is asked for its kernel types. What is wrong is told on stderr.
    """
    finder = KernelFinder.from_entrypoints()
    with progress("Waiting for the providers"):
        for _ in finder.find_kernels():
            pass
    reports = finder.describe_providers()
    if output == "json":
        print_json(
            {
                "providers": [_as_json(report) for report in reports],
                "problems": [problem_as_json(problem) for problem in finder.problems],
            }
        )
    elif reports:
        print_table(_HEADER, map(_row, reports))
    tell_problems(finder.problems)
    if not reports:
        say("No providers are installed; those of kernel-mgmt are back after: pip install -e .")
    return Status.OK


def _row(report: ProviderReport) -> Sequence[str]:
    return (
        report.id,
        report.class_name or "-",
        report.distribution or "-",
        report.version or "-",
        _milliseconds(report.load_time),
        _milliseconds(report.listing_time),
        str(len(report.kernel_types)),
        str(len(report.problems)),
    )


def _as_json(report: ProviderReport) -> dict[str, Any]:
    return {
        "id": report.id,
        "class": report.class_name,
        "distribution": report.distribution,
        "version": report.version,
        "load_time": report.load_time,
        "listing_time": report.listing_time,
        "kernel_types": list(report.kernel_types),
        "problems": [problem_as_json(problem) for problem in report.problems],
        "has_refresh": report.has_refresh,
    }


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.1f} ms"
