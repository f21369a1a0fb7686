"""Find the kernel that is meant, by its name or its id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kernel_mgmt.records import find_records, is_foreign, is_stale

from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("check_is_here", "find_known", "find_running", "label", "running", "short_ids")

_SHORTEST_ID = 8


def find_running(name: str, records: Iterable[KernelRecord] | None = None) -> KernelRecord:
    """Return the record of the kernel of this name, this id, or an id that begins so.

    A name goes before an id, and an id before the beginning of one.

    :param records: those to choose from; by default those of the kernels that run
    :raises CommandError: if there is none, or more than one
    """
    known = running() if records is None else list(records)
    found = _find(name, known)
    if found is None:
        raise CommandError(_no_such(name, known), Status.NO_SUCH_KERNEL)
    return found


def find_known(name: str) -> KernelRecord:
    """Return the record of a kernel, as :func:`find_running`, or else of one that has ended.

    :raises CommandError: if there is none, or more than one
    """
    records = find_records().records
    runs = [record for record in records if not is_stale(record)]
    found = _find(name, runs) or _find(name, [record for record in records if is_stale(record)])
    if found is None:
        raise CommandError(_no_such(name, records), Status.NO_SUCH_KERNEL)
    return found


def running() -> list[KernelRecord]:
    """Return the records of the kernels that run, the oldest first; foreign ones are among them."""
    return [record for record in find_records().records if not is_stale(record)]


def check_is_here(record: KernelRecord) -> None:
    """Make sure that a kernel is one of this machine.

    :raises CommandError: if it is one of another machine or container that shares the directory
    """
    if is_foreign(record):
        where = f"on {record.machine.host!r}, or in another container"
        raise CommandError(f"The kernel {label(record)} runs {where}: go there", Status.RAISED)


def label(record: KernelRecord) -> str:
    """Return what a message calls a kernel."""
    return record.name or record.kernel_id


def short_ids(records: Sequence[KernelRecord]) -> dict[str, str]:
    """Return the beginning of each id that no other has; all of the same length."""
    ids = [record.kernel_id for record in records]
    length = _SHORTEST_ID
    while len({kernel_id[:length] for kernel_id in ids}) < len(set(ids)):
        length += 1
    return {kernel_id: kernel_id[:length] for kernel_id in ids}


def _find(name: str, known: Sequence[KernelRecord]) -> KernelRecord | None:
    for fits in (
        [record for record in known if record.name == name],
        [record for record in known if record.kernel_id == name],
        [record for record in known if name and record.kernel_id.startswith(name)],
    ):
        if len(fits) > 1:
            raise CommandError(_several(name, fits), Status.USAGE)
        if fits:
            return fits[0]
    return None


def _several(name: str, fits: Iterable[KernelRecord]) -> str:
    lines = [f"\n  {each.kernel_id}  {each.name or '-'}  {each.kernel_type}" for each in fits]
    return f"Several kernels are meant by {name!r}:{''.join(lines)}"


def _no_such(name: str, known: Iterable[KernelRecord]) -> str:
    names = [text for record in known for text in (record.name, record.kernel_id) if text]
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"No kernel {name!r} runs{hint} (kernel-mgmt ps lists those that do)"
