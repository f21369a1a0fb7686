"""``kernel-mgmt exec``: code for a kernel that runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._complete import RunningKernelName
from ._form import OUTPUTS, images_option, output_option
from ._seconds import Seconds
from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.messages import Message

    from ._execute import Display
    from ._source import Source

__all__ = ("command",)

# How long a kernel may take to reply that it was interrupted (seconds).
_INTERRUPT_MOST = 2.0


@click.command("exec")
@click.argument("kernel", type=RunningKernelName())
@click.argument("code", required=False)
@click.option(
    "-f",
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run the code of a file.",
)
@click.option(
    "--timeout",
    type=Seconds(),
    metavar="SECONDS",
    help="Interrupt the code when so much time has passed.",
)
@images_option
@output_option("text", "json", help_text=OUTPUTS)
def command(
    kernel: str,
    code: str | None,
    file: Path | None,
    timeout: float | None,
    images: Path | None,
    output: str,
) -> int:
    """Run code in a kernel that runs already, and leave it running.

    KERNEL is a name, an id or its beginning, or a connection file. CODE may be -, which reads it
    from stdin. Ctrl-C interrupts the code.
    """
    import anyio

    from ._execute import make_display

    source = _source(code, file)
    return anyio.run(partial(_run, kernel, source, make_display(output, images), timeout))


def _source(code: str | None, file: Path | None) -> Source:
    from ._source import read_argument, read_file, read_stdin

    if (code is None) == (file is None):
        raise CommandError("Give either CODE (- reads it from stdin) or --file", Status.USAGE)
    if file is not None:
        return read_file(file)
    return read_stdin() if code == "-" else read_argument(code or "")


async def _run(kernel: str, source: Source, display: Display, timeout: float | None) -> int:
    import anyio

    from ._attach import attached

    watched = _Watched(display)
    with anyio.move_on_after(timeout) as limit:
        async with attached(kernel) as (manager, client):
            try:
                return await _run_in(manager, client, source, watched)
            except anyio.get_cancelled_exc_class():
                if limit.cancel_called and watched.begun:
                    await _interrupt(client)
                raise
    raise CommandError(_late(timeout or 0, watched.begun), Status.TIMEOUT)


async def _run_in(
    manager: KernelManagerABC | None, client: KernelClient, source: Source, display: Display
) -> Status:
    from ._execute import run_source
    from ._interrupt import interruptible

    async with interruptible(manager, client) as interrupts:
        if await run_source(client, source, display):
            return Status.OK
    return Status.INTERRUPTED if interrupts.once else Status.RAISED


async def _interrupt(client: KernelClient) -> None:
    import anyio

    with anyio.move_on_after(_INTERRUPT_MOST, shield=True):
        await client.interrupt()


def _late(timeout: float, begun: bool) -> str:
    done = "was interrupted" if begun else "has not begun: the kernel is busy with other code"
    return f"The code was not done within {timeout:g} s, and {done}"


class _Watched:
    """Notes whether the kernel has begun with the code, for which other code may have to end."""

    def __init__(self, display: Display) -> None:
        self.begun = False
        self._display = display

    def show(self, message: Message) -> None:
        self.begun = True
        self._display.show(message)

    def end(self, reply: Mapping[str, object]) -> None:
        self._display.end(reply)
