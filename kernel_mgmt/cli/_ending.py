"""Take hold of a kernel whose connection file may be lost, and end it."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from kernel_mgmt.client import KernelClient
from kernel_mgmt.connection_files import read_connection_file
from kernel_mgmt.exceptions import KernelDiedError, ReattachError
from kernel_mgmt.records import prune

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import ShutdownStage
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.records import KernelRecord
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("connection_info_of", "shut_down", "take_hold", "take_hold_to_end")

_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


async def take_hold(record: KernelRecord, finder: KernelFinder) -> KernelManagerABC:
    """Take hold of a kernel, of which only the process is reached if its connection file is lost.

    :raises KernelDiedError: if it has ended
    :raises ReattachError: if it is out of reach
    """
    try:
        return await finder.reattach(record)
    except ReattachError:
        if connection_info_of(record) is not None:
            raise
    # Its process is known all the same; providers do not take hold of it without a connection file.
    with _stand_in() as connection_file:
        return await finder.reattach(replace(record, connection_file=connection_file))


async def take_hold_to_end(record: KernelRecord, finder: KernelFinder) -> KernelManagerABC | None:
    """Take hold of a kernel that is to be ended, though its connection file may be lost.

    :return: its manager; ``None`` if the kernel has ended, and then its files are removed
    :raises ReattachError: if it is out of reach
    """
    try:
        return await take_hold(record, finder)
    except KernelDiedError:
        prune(kernel_id=record.kernel_id)
        return None


async def shut_down(
    record: KernelRecord, manager: KernelManagerABC, timeout: float = 5.0, *, restart: bool = False
) -> ShutdownStage:
    """End a kernel in good order: without a request where its connection file is lost.

    The arguments are those of :meth:`~kernel_mgmt.KernelClient.shutdown_or_terminate`.
    """
    async with KernelClient(manager.connection_info, manager) as client:
        if record.remote is None and connection_info_of(record) is None:
            client.close()
        return await client.shutdown_or_terminate(timeout, restart=restart)


def connection_info_of(record: KernelRecord) -> ConnectionInfo | None:
    """Return how to reach a kernel; ``None`` if its connection file is lost, or of no use."""
    try:
        return read_connection_file(record.connection_file)
    except (OSError, ValueError):
        return None


@contextmanager
def _stand_in() -> Generator[str]:
    """A connection file that leads nowhere."""
    ports = dict.fromkeys((f"{channel}_port" for channel in _CHANNELS), 1)
    nowhere = {"ip": "127.0.0.1", "key": token_hex(16), **ports}
    with TemporaryDirectory() as directory:
        path = Path(directory, "kernel.json")
        path.write_text(json.dumps(nowhere))
        yield str(path)
