"""``kernel-mgmt doctor``: what is wrong with the installation, or with a kernel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ._complete import KernelTypeName
from ._form import output_option
from ._launching import LaunchArguments, launch_arguments
from ._status import CommandError, Status
from ._terminal import progress, say

if TYPE_CHECKING:
    from kernel_mgmt.discovery import KernelFinder

    from ._doctor._findings import Finding
    from ._doctor._subject import Subject
    from ._doctor.checks import Check

__all__ = ("command",)


@click.command("doctor")
@click.argument("kernels", metavar="[KERNEL]...", nargs=-1, type=KernelTypeName())
@click.option(
    "--check", "chosen", metavar="CHECK", multiple=True, help="Run only this check; repeatable."
)
@click.option("--start", is_flag=True, help="Without KERNEL: start each kernel type once.")
@output_option("text", "json")
@launch_arguments
def command(
    kernels: tuple[str, ...],
    chosen: tuple[str, ...],
    start: bool,
    output: str,
    *,
    arguments: LaunchArguments,
) -> int:
    """Look for what is wrong, and tell what to do about it.

    Without KERNEL, the installation is looked at, and each kernel type without starting it. With
    KERNEL, kernels of that type are started for real, and each oddity is looked for that kernels
    are known to have.

    The exit status is 1 if anything is a problem.
    """
    from kernel_mgmt.discovery import KernelFinder

    from ._doctor._arguments import make_subject
    from ._doctor._report import has_problem, print_reports

    finder = KernelFinder.from_entrypoints()
    if kernels:
        subjects = [make_subject(finder, name, arguments) for name in kernels]
        checks = _choose(chosen)
        examined = {subject.name: _examine(subject, checks) for subject in subjects}
        reports = {name: found for name, found in examined.items() if found}
    else:
        reports = _look_around(finder, start, arguments)
    if reports:
        print_reports(reports, output)
    if len(reports) < len(kernels):
        return Status.NOT_STARTED
    return Status.RAISED if has_problem(reports) else Status.OK


def _choose(names: tuple[str, ...]) -> list[Check]:
    from ._doctor.checks import CHECKS

    known = [check.name for check in CHECKS]
    for name in names:
        if name not in known:
            message = f"There is no check {name!r}; there are {', '.join(known)}"
            raise CommandError(message, Status.USAGE)
    return [check for check in CHECKS if not names or check.name in names]


def _examine(subject: Subject, checks: list[Check]) -> dict[str, Finding]:
    """Return what was found, or nothing if the kernel does not start, which is told."""
    import anyio

    from kernel_mgmt.exceptions import KernelDiedError, KernelLaunchError

    from ._doctor._examination import examine

    try:
        with progress(f"Starting several kernels of {subject.name}, and trying them out"):
            return anyio.run(examine, subject, checks)
    except (KernelDiedError, KernelLaunchError) as error:
        say(f"Error: {error}")
        return {}


def _look_around(
    finder: KernelFinder, start: bool, arguments: LaunchArguments
) -> dict[str, dict[str, Finding]]:
    import anyio

    from ._doctor._kernel_types import check_kernel_types, start_kernel_types
    from ._doctor.installation import check_installation

    with progress("Looking at the installation"):
        reports = {"installation": check_installation(finder)}
    if not start:
        reports["kernel types"] = check_kernel_types(finder)
        return reports
    with progress("Starting each kernel type"):
        starting = partial(start_kernel_types, finder, arguments.startup_timeout)
        reports["kernel types"] = anyio.run(starting)
    return reports
