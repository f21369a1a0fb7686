"""Find the running kernel that is meant, by its name or its id."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kernel_mgmt.records import find_records, is_stale

from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("find_running",)


def find_running(name: str, records: Iterable[KernelRecord] | None = None) -> KernelRecord:
    """Return the record of the kernel of this name, this id, or an id that begins so.

    A name goes before an id, and an id before the beginning of one.

    :param records: those to choose from; by default those of the kernels that run
    :raises CommandError: if there is none, or more than one
    """
    known = _running() if records is None else list(records)
    for fits in (
        [record for record in known if record.name == name],
        [record for record in known if record.kernel_id == name],
        [record for record in known if name and record.kernel_id.startswith(name)],
    ):
        if len(fits) > 1:
            ids = ", ".join(record.kernel_id for record in fits)
            raise CommandError(f"Several kernels are meant by {name!r}: {ids}", Status.USAGE)
        if fits:
            return fits[0]
    raise CommandError(_no_such(name, known), Status.NO_SUCH_KERNEL)


def _running() -> list[KernelRecord]:
    return [record for record in find_records().records if not is_stale(record)]


def _no_such(name: str, known: Iterable[KernelRecord]) -> str:
    names = [text for record in known for text in (record.name, record.kernel_id) if text]
    close = get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"No kernel {name!r} runs{hint} (kernel-mgmt ps lists those that do)"
