"""``kernel-mgmt stop``: end kernels, and let them do so in good order."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
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
@click.argument("kernels", type=RunningKernelName(), nargs=-1)
@click.option(
    "--time",
    "seconds",
    type=click.FloatRange(min=0),
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
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.exceptions import KernelDiedError
    from kernel_mgmt.records import prune
    from kernel_mgmt.start import default_finder

    try:
        manager = await default_finder().reattach(record)
    except KernelDiedError:
        prune(kernel_id=record.kernel_id)
        return _STAGES["dead"]
    async with KernelClient(manager.connection_info, manager) as client:
        return _STAGES[await client.shutdown_or_terminate(seconds)]
