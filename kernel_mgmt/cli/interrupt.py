"""``kernel-mgmt interrupt``: have kernels stop what they are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
from ._running import label
from ._several import with_each
from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)

# How long a kernel may take to answer that is interrupted by a message (seconds).
_ANSWER_MOST = 5.0


@click.command("interrupt")
@click.argument("kernels", metavar="KERNEL...", type=RunningKernelName(), nargs=-1)
def command(kernels: tuple[str, ...]) -> int:
    """Interrupt kernels, which stop what they are doing and stay."""
    return with_each(kernels, _interrupt, "Interrupting kernels")


async def _interrupt(record: KernelRecord) -> str:
    import anyio

    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.start import default_finder

    from ._ending import connection_info_of, take_hold

    manager = await take_hold(record, default_finder())
    if manager.interrupt_mode == "message" and connection_info_of(record) is None:
        reason = "it is interrupted by a message, and its connection file is lost"
        raise CommandError(f"The kernel {label(record)} is out of reach: {reason}", Status.RAISED)
    async with KernelClient(manager.connection_info, manager) as client:
        with anyio.move_on_after(_ANSWER_MOST):
            await client.interrupt()
            return "interrupted"
    return f"asked to interrupt what it does, and has not answered within {_ANSWER_MOST:g} s"
