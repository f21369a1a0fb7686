"""The lock that has one command at a time restart a kernel."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from kernel_mgmt.paths import jupyter_runtime_dir

from ._running import label
from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("left_locks", "nobody_else_restarts", "remove_left_locks")

_NAME = ".kernel-{}.lock"


@contextmanager
def nobody_else_restarts(record: KernelRecord) -> Generator[None]:
    """Keep two commands from starting a successor of the same kernel at once.

    :raises CommandError: if another one is at it
    """
    if sys.platform == "win32":
        yield
        return
    directory = os.path.dirname(record.connection_file) or jupyter_runtime_dir()
    path = os.path.join(directory, _NAME.format(record.kernel_id))
    try:
        with _locked(path, os.O_CREAT):
            try:
                yield
            finally:
                os.unlink(path)
    except BlockingIOError as error:
        message = f"The kernel {label(record)} is being restarted already"
        raise CommandError(message, Status.RAISED) from error


def left_locks() -> list[str]:
    """Return the paths of locks that nobody holds: those of commands that were killed."""
    return list(_left(remove=False))


def remove_left_locks() -> list[str]:
    """Remove the locks that nobody holds, and return their paths."""
    return list(_left(remove=True))


def _left(*, remove: bool) -> Iterator[str]:
    directory = jupyter_runtime_dir()
    names: list[str] = []
    with suppress(OSError):
        names = sorted(os.listdir(directory))
    for name in names:
        if fnmatch(name, _NAME.format("*")):
            path = os.path.join(directory, name)
            with suppress(OSError), _locked(path):
                if remove:
                    os.unlink(path)
                yield path


@contextmanager
def _locked(path: str, flags: int = 0) -> Generator[None]:
    if sys.platform == "win32":
        raise OSError("there are no such locks on Windows")
    import fcntl

    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it before may have removed it since it was opened here.
        _check_is_there(path, descriptor)
        yield
    finally:
        os.close(descriptor)


def _check_is_there(path: str, descriptor: int) -> None:
    there: os.stat_result | None = None
    with suppress(FileNotFoundError):
        there = os.stat(path)
    if there is None or not os.path.samestat(there, os.fstat(descriptor)):
        raise BlockingIOError
