"""``kernel-mgmt stop``: end kernels, and let them do so in good order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
from ._seconds import Seconds
from ._several import with_each

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)

_STAGES = {
    "dead": "had ended already",
    "shutdown": "ended at its request",
    "terminated": "ended by SIGTERM",
    "killed": "ended by SIGKILL",
}


@click.command("stop")
@click.argument("kernels", metavar="[KERNEL]...", type=RunningKernelName(), nargs=-1)
@click.option(
    "--time",
    "--timeout",
    "seconds",
    type=Seconds(zero=True),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait after the request, and again after SIGTERM.",
)
@click.option("--all", "everyone", is_flag=True, help="Every kernel that runs.")
def command(kernels: tuple[str, ...], seconds: float, everyone: bool) -> int:
    """End kernels: by a request, or else SIGTERM, or else SIGKILL.

    Their files are removed.
    """
    action = partial(_stop, seconds=seconds)
    return with_each(kernels, action, "Stopping kernels", everyone=everyone)


async def _stop(record: KernelRecord, seconds: float) -> str:
    from kernel_mgmt.start import default_finder

    from ._ending import shut_down, take_hold_to_end

    manager = await take_hold_to_end(record, default_finder())
    return _STAGES["dead" if manager is None else await shut_down(record, manager, seconds)]
