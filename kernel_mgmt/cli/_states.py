"""What running kernels are doing, found out by asking all of them at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import anyio

from kernel_mgmt.client import KernelClient
from kernel_mgmt.connection_files import read_connection_file
from kernel_mgmt.exceptions import KernelDiedError, KernelManagementError
from kernel_mgmt.records import is_foreign, is_stale
from kernel_mgmt.start import default_finder

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("KernelState", "states_of")

log = logging.getLogger(__name__)

KernelState: TypeAlias = Literal["starting", "idle", "busy", "dead", "unknown"]

# One that is idle answers within milliseconds, and one that is busy not at all (seconds).
_ANSWER_MOST = 1.0
# How long the server of a kernel may take to tell of it (seconds).
_SERVER_MOST = 5.0
# Each takes a dozen descriptors while it is asked.
_AT_ONCE = 50
# How long a kernel that cannot be reached is taken to be on its way up (seconds).
_STARTS_FOR = 60.0


async def states_of(records: Sequence[KernelRecord]) -> dict[str, KernelState]:
    """Return the state of each kernel, by its id.

    A kernel that answers on shell is idle, and one that can be reached and does not answer is busy.
    """
    states: dict[str, KernelState] = {}
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def ask(record: KernelRecord) -> None:
        async with limiter:
            states[record.kernel_id] = await _ask(record)

    async with anyio.create_task_group() as tasks:
        for record in records:
            states[record.kernel_id] = _state_of_process(record)
            if not is_foreign(record) and not is_stale(record):
                tasks.start_soon(ask, record)
    return states


async def _ask_server_of(record: KernelRecord) -> KernelState:
    """What the server of a kernel tells, through the provider that knows it."""
    try:
        with anyio.move_on_after(_SERVER_MOST):
            manager = await default_finder().reattach(record)
            async with KernelClient(manager.connection_info, manager) as client:
                with anyio.move_on_after(_ANSWER_MOST):
                    await client.kernel_info().reply()
                    return "idle"
            return "busy"
    except KernelDiedError:
        return "dead"
    except (KernelManagementError, OSError, ValueError) as error:
        log.debug("the state of the kernel %s cannot be told: %s", record.kernel_id, error)
    return "unknown"


def _state_of_process(record: KernelRecord) -> KernelState:
    return "dead" if is_stale(record) else "unknown"


async def _ask(record: KernelRecord) -> KernelState:
    if record.remote is not None:
        return await _ask_server_of(record)
    try:
        client = KernelClient(read_connection_file(record.connection_file))
    except (OSError, ValueError):
        return _state_of_process(record)
    async with client:
        try:
            with anyio.move_on_after(_ANSWER_MOST):
                await client.kernel_info().reply()
                return "idle"
        except (KernelManagementError, ValueError):
            return _state_of_process(record)
        connected = client.is_connected
    if is_stale(record):
        return "dead"
    if connected:
        return "busy"
    return "starting" if time.time() - record.created_at < _STARTS_FOR else "unknown"
