"""``kernel-mgmt relay``: have programs that know plain ZeroMQ alone reach a kernel."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from ._complete import RunningKernelName
from ._status import Status
from ._terminal import print_line, say

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("command",)


@click.command("relay")
@click.argument("kernel", type=RunningKernelName())
@click.option(
    "-f",
    "--connection-file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="The connection file to write; by default one in the runtime directory.",
)
def command(kernel: str, connection_file: str | None) -> int:
    """Relay a kernel to programs that use jupyter_client.

    It prints the path of a connection file, as jupyter console --existing takes it, and goes on until
    Ctrl-C or the end of the kernel, which it leaves running. KERNEL is a running kernel, or the
    connection file of one.
    """
    import anyio

    from ._sigterm import ended_by_signal

    with ended_by_signal():
        return anyio.run(_relay, kernel, connection_file or _new_path())


async def _relay(kernel: str, path: str) -> int:
    from kernel_mgmt.jupyter.relay import Relay

    from ._attach import find_kernel
    from ._sigterm import terminable

    connection_info, manager = await find_kernel(kernel)
    async with terminable(), Relay() as relay:
        with _connection_file(path, relay.connection_info):
            print_line(path)
            say(f"The kernel {kernel} is relayed; Ctrl-C ends the relay, and not the kernel")
            failure = await relay.serve(connection_info, manager)
    say(str(failure))
    return Status.RAISED


@contextmanager
def _connection_file(path: str, connection_info: ConnectionInfo) -> Generator[None]:
    """Keep a new file, which only its owner can read, as long as the block."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(connection_info, file, indent=1)
        yield
    finally:
        with suppress(FileNotFoundError):
            os.remove(path)


def _new_path() -> str:
    from kernel_mgmt.paths import jupyter_runtime_dir

    directory = jupyter_runtime_dir()
    os.makedirs(directory, mode=0o700, exist_ok=True)
    return os.path.join(directory, f"kernel-relay-{uuid4()}.json")
