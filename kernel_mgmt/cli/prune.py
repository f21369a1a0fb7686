"""``kernel-mgmt prune``: remove what kernels have left."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from kernel_mgmt.records import find_left, prune

from ._form import output_option
from ._restart_lock import left_locks, remove_left_locks
from ._sizes import size
from ._status import Status
from ._terminal import print_json, print_line, say

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)


@click.command("prune")
@click.option("-n", "--dry-run", is_flag=True, help="Tell what would be removed, and leave it.")
@output_option("table", "json")
def command(dry_run: bool, output: str) -> int:
    """Remove the records and files of kernels that no longer run.

    No process is ended, and what belongs to other machines and users is left alone.
    """
    sizes = {record.kernel_id: _bytes_of(record) for record in find_left()}
    records = find_left() if dry_run else prune()
    locks = left_locks() if dry_run else remove_left_locks()
    removed = [
        {
            "id": record.kernel_id,
            "name": record.name,
            "kernel": record.kernel_type,
            "bytes": sizes.get(record.kernel_id, 0),
        }
        for record in records
    ]
    total = sum(sizes.get(record.kernel_id, 0) for record in records)
    if output == "json":
        print_json({"dry_run": dry_run, "removed": removed, "bytes": total, "locks": locks})
        return Status.OK
    for record in records:
        print_line(" ".join(filter(None, (record.kernel_id, record.name))))
    verb = "Would remove" if dry_run else "Removed"
    for lock in locks:
        say(f"{verb} {lock}, the lock of a restart that was killed")
    what = "1 kernel" if len(records) == 1 else f"{len(records)} kernels"
    say(f"{verb} the files of {what}, {size(total)}")
    return Status.OK


def _bytes_of(record: KernelRecord) -> int:
    total = 0
    for path in set(record.files):
        with suppress(OSError):
            total += os.path.getsize(path)
    return total
