"""``kernel-mgmt kill``: end kernels at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
from ._several import with_each

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)


@click.command("kill")
@click.argument("kernels", metavar="[KERNEL]...", type=RunningKernelName(), nargs=-1)
@click.option("--all", "everyone", is_flag=True, help="Every kernel that runs.")
def command(kernels: tuple[str, ...], everyone: bool) -> int:
    """End kernels at once, by SIGKILL, with their children.

    Their files are removed.
    """
    return with_each(kernels, _kill, "Killing kernels", everyone=everyone)


async def _kill(record: KernelRecord) -> str:
    from kernel_mgmt.start import default_finder

    from ._ending import take_hold_to_end

    manager = await take_hold_to_end(record, default_finder())
    if manager is None:
        return "had ended already"
    await manager.kill()
    await manager.cleanup()
    return "ended by SIGKILL"
