"""``kernel-mgmt ps``: the kernels that run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from kernel_mgmt.paths import jupyter_runtime_dir
from kernel_mgmt.records import find_records, is_foreign, is_stale

from ._form import output_option
from ._running import short_ids
from ._sizes import duration, size
from ._status import Status
from ._terminal import print_json, print_line, print_table, progress, say

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord, UnreadableRecord

    from ._states import KernelState
    from ._usage import Usage

__all__ = ("command",)

# The shortest time over which the use of a processor says something (seconds).
_MEASURED_FOR = 0.2


@click.command("ps")
@click.option(
    "-a", "--all", "everyone", is_flag=True, help="Also those that have ended or are elsewhere."
)
@click.option("-q", "--quiet", is_flag=True, help="Print the ids alone.")
@output_option("table", "wide", "json", "name")
def command(everyone: bool, quiet: bool, output: str) -> int:
    """List the kernels that run, the oldest first."""
    if quiet and output != "table":
        raise click.UsageError(f"-q prints ids alone; leave it out for -o {output}")
    found = find_records()
    records = [
        record
        for record in found.records
        if everyone or not (is_foreign(record) or is_stale(record))
    ]
    if quiet or output == "name":
        for record in records:
            print_line(record.kernel_id if quiet else record.name or record.kernel_id)
    else:
        _print(records, output)
    return _tell_unreadable(found.unreadable, everyone)


def _tell_unreadable(unreadable: Iterable[UnreadableRecord], everyone: bool) -> Status:
    """Tell what could not be read: of single records only if everything is to be listed."""
    status = Status.OK
    for each in unreadable:
        if each.path == jupyter_runtime_dir():
            say(f"Error: the records of kernels cannot be read: {each.reason}")
            status = Status.RAISED
        elif everyone:
            say(f"{each.path} is no record of a kernel: {each.reason}")
    return status


def _print(records: Sequence[KernelRecord], output: str) -> None:
    rows = _describe(records)
    if output == "json":
        print_json({"kernels": rows})
        return
    ids = short_ids(records)
    header = ["ID", "NAME", "KERNEL", "STATE", "UPTIME", "MEMORY", "CPU", "PID"]
    if output == "wide":
        header += ["MACHINE", "DIRECTORY", "CONNECTION FILE"]
    print_table(header, [_cells(row, ids, wide=output == "wide") for row in rows])


def _cells(row: dict[str, Any], ids: dict[str, str], *, wide: bool) -> list[str]:
    def shown(value: object, text: str) -> str:
        return "-" if value is None else text

    cells = [
        row["id"] if wide else ids[row["id"]],
        row["name"] or "-",
        row["kernel"] or "-",
        row["state"],
        shown(row["uptime"], duration(row["uptime"] or 0)),
        shown(row["memory"], size(row["memory"] or 0)),
        shown(row["cpu_percent"], f"{row['cpu_percent'] or 0:.0f}%"),
        shown(row["pid"], str(row["pid"])),
    ]
    where = [row["machine"], row["cwd"] or "-", row["connection_file"] or "-"]
    return [*cells, *where] if wide else cells


def _describe(records: Sequence[KernelRecord]) -> list[dict[str, Any]]:
    import anyio

    runs = [record for record in records if not (is_foreign(record) or is_stale(record))]
    with progress("Asking the kernels"):
        states, usage = anyio.run(_find_out, records, runs) if records else ({}, {})
    now = time.time()
    return [
        {
            "id": record.kernel_id,
            "name": record.name,
            "kernel": record.kernel_type,
            "state": states[record.kernel_id],
            "started": record.created_at,
            "uptime": round(now - record.created_at, 1) if record in runs else None,
            "memory": usage[record.process.pid].memory if record.process.pid in usage else None,
            "cpu_percent": usage[record.process.pid].cpu_percent
            if record.process.pid in usage
            else None,
            "pid": record.process.pid or None,
            "persist": record.persist,
            "machine": record.machine.host,
            "foreign": is_foreign(record),
            "cwd": record.cwd,
            "connection_file": record.connection_file or None,
            "log_file": record.log_file,
        }
        for record in records
    ]


async def _find_out(
    records: Sequence[KernelRecord], runs: Sequence[KernelRecord]
) -> tuple[dict[str, KernelState], dict[int, Usage]]:
    import anyio

    from ._states import states_of
    from ._usage import UsageMeter

    runs = [record for record in runs if record.remote is None]
    meter = UsageMeter(record.process.pid for record in runs)
    states = await states_of(records)
    if runs:
        await anyio.sleep(meter.seconds_left(_MEASURED_FOR))
    usage = meter.read()
    # A pid is that of the kernel only if the kernel still runs.
    return states, {
        record.process.pid: usage[record.process.pid]
        for record in runs
        if record.process.pid in usage and not is_stale(record)
    }
