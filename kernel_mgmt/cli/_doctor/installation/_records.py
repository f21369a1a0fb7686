"""The records of kernels that no longer run."""

from __future__ import annotations

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.records import find_records, is_stale


def check_records(directory: str | None = None) -> Finding:
    """Tell whether there are records that cannot be read, or whose kernel no longer runs.

    :param directory: Jupyter's runtime directory when ``None``
    """
    found = find_records(directory)
    if found.unreadable:
        first = found.unreadable[0]
        return problem(
            f"{len(found.unreadable)} cannot be read, such as {first.path}: {first.reason}",
            "remove them, if no kernel runs by them",
        )
    stale = sum(map(is_stale, found.records))
    if stale:
        return note(f"{stale} of {len(found.records)} kernels no longer run", "kernel-mgmt prune")
    return ok(f"running kernels: {len(found.records)}")
