"""``kernel-mgmt interrupt``: have kernels stop what they are doing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
from ._several import with_each

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

    manager = await default_finder().reattach(record)
    async with KernelClient(manager.connection_info, manager) as client:
        with anyio.move_on_after(_ANSWER_MOST):
            await client.interrupt()
            return "interrupted"
    return f"asked to interrupt what it does, and has not answered within {_ANSWER_MOST:g} s"
