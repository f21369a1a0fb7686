"""Records of running kernels: files by which another process finds a kernel and takes hold of it.

Example::

    from kernel_mgmt.records import find_records, is_stale

    for record in find_records().records:
        print(record.kernel_id, record.kernel_type, is_stale(record))
"""

from __future__ import annotations

from ._directory import (
    FoundRecords,
    UnreadableRecord,
    find_left,
    find_records,
    prune,
    read_record,
    record_path,
    remove_kernel_files,
    unfinished_path,
    write_record,
)
from ._identity import Machine, ProcessIdentity
from ._record import KernelRecord, LaunchDetails, is_foreign, is_stale

__all__ = (
    "FoundRecords",
    "KernelRecord",
    "LaunchDetails",
    "Machine",
    "ProcessIdentity",
    "UnreadableRecord",
    "find_left",
    "find_records",
    "is_foreign",
    "is_stale",
    "prune",
    "read_record",
    "record_path",
    "remove_kernel_files",
    "unfinished_path",
    "write_record",
)
