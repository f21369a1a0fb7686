"""``kernel-mgmt restart``: start kernels anew in the place of those that run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
from ._launching import startup_timeout_option
from ._several import with_each

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)


@click.command("restart")
@click.argument("kernels", metavar="KERNEL...", type=RunningKernelName(), nargs=-1)
@startup_timeout_option
def command(kernels: tuple[str, ...], startup_timeout: float) -> int:
    """End kernels and start them anew.

    Id, name, directory, environment variables, launch parameters, ports and keys stay, so that those who
    are connected can go on. It is for kernels that have been started with --detach.
    """
    action = partial(_restart, startup_timeout=startup_timeout)
    return with_each(kernels, action, "Restarting kernels")


async def _restart(record: KernelRecord, startup_timeout: float) -> str:
    from ._restarting import restart

    if await restart(record, startup_timeout):
        return "restarted"
    return "restarted, but it listens elsewhere: connect to it again"
