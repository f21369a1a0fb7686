"""Start a kernel anew that another program has started."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from kernel_mgmt.client import KernelClient
from kernel_mgmt.connection_files import read_connection_file
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import KernelDiedError
from kernel_mgmt.records import Machine, prune
from kernel_mgmt.restarter._plan import LaunchPlan
from kernel_mgmt.types import LaunchOptions

from ._running import find_known, label
from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord, LaunchDetails

__all__ = ("restart",)


async def restart(record: KernelRecord, startup_timeout: float) -> bool:
    """End a kernel, or what is left of it, and start another in its place.

    :param startup_timeout: in seconds
    :return: whether it listens where the first did
    :raises CommandError: if it is not ours to restart; it goes on then
    """
    # What was taken by the first launch has its defaults put in, which the schema may not let be given.
    finder = KernelFinder.from_entrypoints(allow_insecure_parameters=True)
    with _nobody_else_restarts(record):
        # Somebody else may have done so since it was found.
        record = find_known(record.kernel_id)
        plan = _plan(record, _check(record), finder, startup_timeout)
        await finder.get_async(plan.kernel_type)
        listen_at = read_connection_file(record.connection_file)
        await _end(record, finder)
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


async def _end(record: KernelRecord, finder: KernelFinder) -> None:
    try:
        manager = await finder.reattach(record)
    except KernelDiedError:
        prune(kernel_id=record.kernel_id)
        return
    async with KernelClient(manager.connection_info, manager) as client:
        await client.shutdown_or_terminate(restart=True)


@contextmanager
def _nobody_else_restarts(record: KernelRecord) -> Generator[None]:
    """Keep two commands from starting a successor of the same kernel at once."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    path = os.path.join(os.path.dirname(record.connection_file), f".kernel-{record.kernel_id}.lock")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it before may have removed it since it was opened here.
        _check_is_there(path, descriptor)
        try:
            yield
        finally:
            os.unlink(path)
    except BlockingIOError as error:
        message = f"The kernel {label(record)} is being restarted already"
        raise CommandError(message, Status.RAISED) from error
    finally:
        os.close(descriptor)


def _check_is_there(path: str, descriptor: int) -> None:
    there: os.stat_result | None = None
    with suppress(FileNotFoundError):
        there = os.stat(path)
    if there is None or not os.path.samestat(there, os.fstat(descriptor)):
        raise BlockingIOError
