"""Take hold of a kernel that runs already."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ._interrupt import one_exception
from ._running import find_running
from ._status import CommandError, Status
from ._terminal import progress

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("attached", "find_kernel")

# How often a kernel that others started is asked for its heartbeat, and how long one may be silent
# on every channel before nobody is taken to be there (seconds).
_HEARTBEAT = 1.0
_SILENT_MOST = 10.0


@asynccontextmanager
async def attached(
    name: str, *, silent_most: float = _SILENT_MOST
) -> AsyncGenerator[tuple[KernelManagerABC | None, KernelClient]]:
    """Take hold of a running kernel, wait until it answers, and leave it running in the end.

    One that is busy answers when it has done. A kernel without a record is named by the path of its
    connection file, or the name of that in the runtime directory; it comes without a manager.

    :param name: its name, its id, the beginning of that, or a connection file
    :param silent_most: how long such a kernel may be out of reach and without a heartbeat before it
        is taken to have ended, in seconds
    :raises CommandError: if there is no such kernel, or more than one, or none answers, or one that
        has no manager has ended
    :raises KernelDiedError: if it ends before it answers
    :raises ReattachError: if it is out of reach
    """
    manager, client = await _connect(name)
    async with client:
        with progress(f"Waiting for {name}"):
            if manager is not None:
                await client.wait_for_ready()
            else:
                await _wait_for_stranger(name, client)
        if manager is not None:
            yield manager, client
            return
        async with _watched(name, client, silent_most):
            yield manager, client


async def find_kernel(name: str) -> tuple[ConnectionInfo, KernelManagerABC | None]:
    """Return how to reach a running kernel, with its manager unless a connection file names it.

    :param name: as :func:`attached` has it
    :raises CommandError: if there is no such kernel, or more than one
    :raises KernelDiedError: if it has ended
    :raises ReattachError: if it is out of reach
    """
    if os.sep in name or name.endswith(".json"):
        return _info_of_file(name), None
    from kernel_mgmt.start import default_finder

    manager = await default_finder().reattach(find_running(name))
    return manager.connection_info, manager


async def _connect(name: str) -> tuple[KernelManagerABC | None, KernelClient]:
    from kernel_mgmt.client import KernelClient

    connection_info, manager = await find_kernel(name)
    heartbeat = _HEARTBEAT if manager is None else None
    try:
        return manager, KernelClient(connection_info, manager, use_heartbeat=heartbeat)
    except ValueError as error:
        raise CommandError(str(error), Status.NO_SUCH_KERNEL) from error


def _info_of_file(name: str) -> ConnectionInfo:
    from kernel_mgmt.connection_files import find_connection_file, read_connection_file

    try:
        return read_connection_file(find_connection_file(name))
    except (OSError, ValueError) as error:
        raise CommandError(str(error), Status.NO_SUCH_KERNEL) from error


async def _wait_for_stranger(name: str, client: KernelClient) -> None:
    """Wait until a kernel is ready whose process is not known, as long as its heart beats."""
    import anyio

    while True:
        with anyio.move_on_after(_SILENT_MOST):
            await client.wait_for_ready()
            return
        if not client.is_beating:
            raise CommandError(_silent(name), Status.NO_SUCH_KERNEL)


@asynccontextmanager
async def _watched(name: str, client: KernelClient, silent_most: float) -> AsyncGenerator[None]:
    """Leave the block when a kernel whose process is not known has ended, as far as can be told."""
    import anyio

    has_ended = False
    with one_exception():
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                nonlocal has_ended
                await _until_silent(client, silent_most)
                has_ended = True
                tasks.cancel_scope.cancel()

            tasks.start_soon(watch)
            yield
            tasks.cancel_scope.cancel()
    if has_ended:
        message = f"The kernel at {name} has ended: it is out of reach, and its heart does not beat"
        raise CommandError(message, Status.RAISED)


async def _until_silent(client: KernelClient, seconds: float) -> None:
    """Wait until a kernel is silent for so long; one that is busy may miss beats, but is connected."""
    import anyio

    last = anyio.current_time()
    while anyio.current_time() - last <= seconds:
        await anyio.sleep(min(seconds / 2, _HEARTBEAT))
        if client.is_connected or client.is_beating:
            last = anyio.current_time()


def _silent(name: str) -> str:
    return f"No kernel answers at {name}: it has ended, or it is too busy to answer"
