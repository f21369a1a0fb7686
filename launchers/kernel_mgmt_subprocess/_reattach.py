"""Take hold of a kernel that another program has launched."""

from __future__ import annotations

from kernel_mgmt.connection_files import read_connection_file
from kernel_mgmt.exceptions import KernelDiedError, ReattachError
from kernel_mgmt.records import KernelRecord, is_foreign, is_stale
from kernel_mgmt.types import ConnectionInfo, ExitStatus

from ._files import read_tail
from ._foreign import ForeignProcess
from ._manager import KernelManager


def reattach(record: KernelRecord) -> KernelManager:
    """Make a manager of a running kernel from its record.

    It is equal to the one that launched the kernel, but for the exit code, which it cannot know.
    There may be any number of managers of one kernel. Dropping this one leaves the kernel be.

    :raises KernelDiedError: if the kernel no longer runs
    :raises ReattachError: if it runs on another machine, or its connection file is of no use
    """
    if is_foreign(record):
        machine = record.machine.host
        raise ReattachError(record.kernel_id, f"it runs on {machine!r}, or in another container")
    _check_runs(record)
    manager = KernelManager(
        ForeignProcess(record.process),
        connection_info=_connection_info(record),
        kernel_id=record.kernel_id,
        interrupt_mode=record.interrupt_mode,
        log_file=record.log_file,
        argv=record.argv,
        record=record,
    )
    # The manager watches whatever process had the pid when it was made.
    _check_runs(record)
    return manager


def _check_runs(record: KernelRecord) -> None:
    if is_stale(record):
        tail = "" if record.log_file is None else read_tail(record.log_file)
        raise KernelDiedError(ExitStatus(tail=tail))


def _connection_info(record: KernelRecord) -> ConnectionInfo:
    try:
        return read_connection_file(record.connection_file)
    except (OSError, ValueError) as error:
        _check_runs(record)
        raise ReattachError(record.kernel_id, str(error)) from error
