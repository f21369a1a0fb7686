"""``kernel-mgmt wait``: wait until kernels have ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
from ._running import label
from ._seconds import Seconds
from ._several import with_each
from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)


@click.command("wait")
@click.argument("kernels", metavar="KERNEL...", type=RunningKernelName(), nargs=-1)
@click.option(
    "--timeout",
    type=Seconds(zero=True),
    metavar="SECONDS",
    help="How long to wait; for ever by default.",
)
def command(kernels: tuple[str, ...], timeout: float | None) -> int:
    """Wait until kernels have ended.

    How they ended is known to the program alone that started them; the exit status is 0 all the
    same, and 5 if one still runs when the time is over.
    """
    return with_each(kernels, partial(_wait, timeout=timeout), "Waiting for kernels")


async def _wait(record: KernelRecord, timeout: float | None) -> str:
    import anyio

    from kernel_mgmt.exceptions import KernelDiedError
    from kernel_mgmt.start import default_finder

    try:
        manager = await default_finder().reattach(record)
        with anyio.fail_after(timeout):
            await manager.wait()
    except KernelDiedError:
        return "had ended already"
    except TimeoutError:
        message = f"The kernel {label(record)} still runs after {timeout:g} s"
        raise CommandError(message, Status.TIMEOUT) from None
    return "has ended; how, only the program knows that started it"
