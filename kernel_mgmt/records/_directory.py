"""The directory of records: write, read and remove them."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, cast

from kernel_mgmt.paths import jupyter_runtime_dir

from ._record import KernelRecord, is_left

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict

# Jupyter's programs take a file for the connection file if it has a part of the kernel's id in its
# name; they do not see one that begins with a dot.
_PREFIX, _SUFFIX = ".kernel-", ".record.json"
_MAXIMUM_BYTES = 1 << 20


@dataclass(frozen=True)
class UnreadableRecord:
    """A file that is named like a record and cannot be used as one, or the directory, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class FoundRecords:
    """What there is in a directory of records."""

    records: tuple[KernelRecord, ...]
    unreadable: tuple[UnreadableRecord, ...]


def record_path(kernel_id: str, directory: str | PathLike[str] | None = None) -> str:
    """Return where the record of a kernel is.

    :param directory: the directory of records; Jupyter's runtime directory if ``None``
    """
    return os.path.join(_directory(directory), f"{_PREFIX}{kernel_id}{_SUFFIX}")


def unfinished_path(path: str) -> str:
    """Return where a record is while it is being written."""
    return f"{path}.new"


def write_record(record: KernelRecord, directory: str | PathLike[str] | None = None) -> str:
    """Write a record, which only its owner can read; nobody sees it half written.

    :param directory: the directory of records; Jupyter's runtime directory if ``None``
    :return: its path
    :raises OSError: if it cannot be written; nothing is left of it
    """
    path = record_path(record.kernel_id, directory)
    unfinished = unfinished_path(path)
    with suppress(FileNotFoundError):
        os.unlink(unfinished)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(json.dumps(record.to_dict()).encode())
        os.replace(unfinished, path)
    except BaseException:
        os.unlink(unfinished)
        raise
    return path


def read_record(path: str | PathLike[str]) -> KernelRecord:
    """Read a record.

    :raises PermissionError: if it belongs to another user, or others may write to it
    :raises OSError: if it cannot be read
    :raises ValueError: if it is not one
    """
    with open(path, "rb") as file:
        _check_owner(os.fstat(file.fileno()))
        content = file.read(_MAXIMUM_BYTES)
    try:
        values: Any = json.loads(content)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(values, dict) or "kernel_id" not in values:
        raise ValueError("it is not the record of a kernel")
    return KernelRecord.from_dict(cast("JSONDict", values))


def find_records(directory: str | PathLike[str] | None = None) -> FoundRecords:
    """Read all records, the oldest first; one that cannot be read is named, and hides no other.

    One that belongs to another user, or that others may write to, is not believed. Where the
    directory itself cannot be read, it is named in their place.

    :param directory: the directory of records; Jupyter's runtime directory if ``None``
    """
    records: list[KernelRecord] = []
    unreadable: list[UnreadableRecord] = []
    directory = _directory(directory)
    try:
        paths = _paths(directory)
    except OSError as error:
        return FoundRecords((), (_unreadable(directory, error),))
    for path in paths:
        try:
            records.append(read_record(path))
        except FileNotFoundError:  # its kernel has ended since
            continue
        except (OSError, ValueError) as error:
            unreadable.append(_unreadable(path, error))
    records.sort(key=lambda record: record.created_at)
    return FoundRecords(tuple(records), tuple(unreadable))


def prune(
    directory: str | PathLike[str] | None = None, *, kernel_id: str | None = None
) -> list[KernelRecord]:
    """Remove the records of kernels that no longer run, with their files; no process is ended.

    Left alone are the records of other users and machines, those whose owner is there to clean up
    itself, and what cannot be read. A file of a kernel is removed if it is in the directory of
    records; elsewhere, only a directory that holds nothing but sockets is.

    :param directory: the directory of records; Jupyter's runtime directory if ``None``
    :param kernel_id: the one kernel that it concerns; all of them if ``None``
    :return: the records that were removed
    """
    directory = _directory(directory)
    pruned: list[KernelRecord] = []
    for path, record in _left(directory):
        if kernel_id not in (None, record.kernel_id):
            continue
        with suppress(OSError):
            _remove_all(record.files, directory)
            with suppress(FileNotFoundError):
                os.unlink(path)
            pruned.append(record)
    return pruned


def find_left(directory: str | PathLike[str] | None = None) -> list[KernelRecord]:
    """Return the records that :func:`prune` would remove."""
    return [record for _, record in _left(_directory(directory))]


def _left(directory: str) -> Iterator[tuple[str, KernelRecord]]:
    paths: list[str] = []
    with suppress(OSError):
        paths = _paths(directory)
    for path in paths:
        with suppress(OSError, ValueError):
            record = read_record(path)
            if is_left(record):
                yield path, record


def remove_kernel_files(record: KernelRecord) -> None:
    """Remove the files of a kernel that has ended, as :func:`prune` does.

    Nothing happens if its record is no longer there, or is that of a kernel which follows it.
    """
    for path in record.files:
        directory = os.path.dirname(path)
        if path == record_path(record.kernel_id, directory):
            with suppress(OSError, ValueError):
                if read_record(path).process == record.process:
                    _remove_all(record.files, directory)
                    return


# A record may have been written by anything; it must not become a way to remove anything.
def _remove_all(paths: Iterable[str], directory: str) -> None:
    for path in paths:
        with suppress(OSError):
            _remove(path, directory)


def _remove(path: str, directory: str) -> None:
    if not os.path.isdir(path):
        if os.path.realpath(os.path.dirname(path)) == os.path.realpath(directory):
            os.unlink(path)
        return
    with os.scandir(path) as entries:
        modes = {entry.path: entry.stat(follow_symlinks=False).st_mode for entry in entries}
    if all(stat.S_ISSOCK(mode) for mode in modes.values()):
        for socket in modes:
            os.unlink(socket)
        os.rmdir(path)


def _directory(directory: str | PathLike[str] | None) -> str:
    return jupyter_runtime_dir() if directory is None else fspath(directory)


def _paths(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [
        os.path.join(directory, name)
        for name in names
        if name.startswith(_PREFIX) and name.endswith(_SUFFIX)
    ]


def _unreadable(path: str, error: Exception) -> UnreadableRecord:
    return UnreadableRecord(path, f"{type(error).__name__}: {error}")


def _check_owner(status: os.stat_result) -> None:
    # Who can write a record can have files read and removed, and processes ended.
    if not hasattr(os, "geteuid"):
        return
    if status.st_uid != os.geteuid():
        raise PermissionError(f"it belongs to the user {status.st_uid}, not to {os.geteuid()}")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError("others may write to it")
