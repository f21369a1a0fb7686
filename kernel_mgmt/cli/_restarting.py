"""Start a kernel anew that another program has started."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.records import Machine
from kernel_mgmt.restarter._plan import LaunchPlan
from kernel_mgmt.types import LaunchOptions

from ._ending import connection_info_of, shut_down, take_hold_to_end
from ._restart_lock import nobody_else_restarts
from ._running import find_known, label
from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord, LaunchDetails
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("restart",)


async def restart(record: KernelRecord, startup_timeout: float) -> bool:
    """End a kernel, or what is left of it, and start another in its place.

    :param startup_timeout: in seconds
    :return: whether it listens where the first did
    :raises CommandError: if it is not ours to restart; it goes on then
    """
    # What was taken by the first launch has its defaults put in, which the schema may not let be given.
    finder = KernelFinder.from_entrypoints(allow_insecure_parameters=True)
    with nobody_else_restarts(record):
        # Somebody else may have done so since it was found.
        record = find_known(record.kernel_id)
        plan = _plan(record, _check(record), finder, startup_timeout)
        await finder.get_async(plan.kernel_type)
        listen_at = await _end(record, finder)
        started = await plan.start(record.kernel_id, restart=True, listen_at=listen_at)
        started.client.close()
    return started.same_ports


def _check(record: KernelRecord) -> LaunchDetails:
    reason = None
    if record.owner.pid != os.getpid() and _owner_runs(record):
        reason = (
            f"process {record.owner.pid} has started it, still runs, and would take its end for a "
            "crash; restart it there"
        )
    elif not record.persist:
        reason = "it was to end with the program that started it; start another"
    elif record.launch is None:
        reason = "its record does not tell what it was launched with; stop it and start another"
    if reason is not None or record.launch is None:
        message = f"The kernel {label(record)} cannot be restarted from here: {reason}"
        raise CommandError(message, Status.RAISED)
    return record.launch


def _owner_runs(record: KernelRecord) -> bool:
    return Machine.this().is_same_boot(record.machine) and record.owner.runs()


def _plan(
    record: KernelRecord, details: LaunchDetails, finder: KernelFinder, startup_timeout: float
) -> LaunchPlan:
    options = LaunchOptions(
        env=details.env,
        extra_arguments=details.extra_arguments,
        transport=details.transport,
        encryption=details.encryption,
        name=record.name,
        limits=details.limits,
        persist=True,
    )
    params = details.launch_params or None
    return LaunchPlan(
        record.kernel_type or "", record.cwd, params, finder, options, startup_timeout
    )


async def _end(record: KernelRecord, finder: KernelFinder) -> ConnectionInfo | None:
    """End a kernel, and return where its successor is to listen."""
    listen_at = connection_info_of(record)
    manager = await take_hold_to_end(record, finder)
    if manager is None:
        return listen_at
    await shut_down(record, manager, restart=True)
    return listen_at if record.remote is None else manager.connection_info
