"""``kernel-mgmt bench``: how fast a kernel starts, answers and stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._complete import KernelTypeName
from ._form import output_option
from ._launching import LaunchArguments, launch_arguments
from ._seconds import Seconds
from ._status import Status, status_of
from ._terminal import progress, say

if TYPE_CHECKING:
    from ._bench._figures import Figures
    from ._doctor._subject import Subject

__all__ = ("command",)


@click.command("bench")
@click.argument("kernel", type=KernelTypeName())
@click.option(
    "-n",
    "number",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many kernels are started; of requests, twenty times as many are sent.",
)
@click.option(
    "--time-limit",
    "--timeout",
    "time_limit",
    type=Seconds(),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="After which it is done, whatever is still to be measured.",
)
@output_option("table", "json")
@launch_arguments
def command(
    kernel: str, number: int, time_limit: float, output: str, *, arguments: LaunchArguments
) -> int:
    """Measure how fast a kernel starts, answers and stops.

    Ctrl-C ends it, too, with what was measured so far.
    """
    from kernel_mgmt.discovery import KernelFinder

    from ._bench._figures import Figures, print_figures
    from ._doctor._arguments import make_subject

    subject = make_subject(KernelFinder.from_entrypoints(), kernel, arguments)
    figures = Figures(subject.name)
    with progress(f"Measuring {subject.name}, for {time_limit:g} s at most"):
        status, why = _measure(subject, number, time_limit, figures)
    if why:
        say(f"{why}; this was measured so far")
    print_figures(figures, output)
    return status


def _measure(
    subject: Subject, number: int, time_limit: float, figures: Figures
) -> tuple[Status, str]:
    """Measure; return the exit status, and why it has ended early, if it has."""
    import anyio

    from kernel_mgmt.exceptions import KernelManagementError

    from ._bench._measure import measure

    async def measure_in_time() -> bool:
        with anyio.move_on_after(time_limit) as scope:
            await measure(subject, number, figures)
        return not scope.cancelled_caught

    try:
        if anyio.run(measure_in_time):
            return Status.OK, ""
    except KeyboardInterrupt:
        return Status.INTERRUPTED, "Interrupted"
    except KernelManagementError as error:
        if not figures.samples["start"]:
            raise
        return status_of(error), f"Error: {error}"
    return Status.TIMEOUT, f"The time limit of {time_limit:g} s is over"
