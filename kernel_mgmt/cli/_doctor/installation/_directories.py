"""The directories: those that are searched for kernelspecs, and the one of running kernels."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.paths import jupyter_runtime_dir, kernel_search_path

_MOUNTS = "/proc/self/mounts"
_OF_NETWORK = {
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
}
# What the files of one kernel take at most, about: 4 MB of log.
_BYTES_NEEDED = 10_000_000
_ELSEWHERE = "set JUPYTER_RUNTIME_DIR to a directory elsewhere"


def check_search_path(directories: Iterable[str] | None = None) -> Finding:
    """Tell which directories are searched for kernelspecs, and whether they can be read.

    :param directories: Jupyter's when ``None``
    """
    searched = list(kernel_search_path() if directories is None else directories)
    there = [path for path in searched if os.path.isdir(path)]
    closed = [path for path in there if not os.access(path, os.R_OK | os.X_OK)]
    if closed:
        return problem(f"cannot be read: {', '.join(closed)}", "give this user the right to")
    if not there:
        return note(f"none of the directories exist: {', '.join(searched)}", "install a kernelspec")
    return ok(f"{len(there)} of {len(searched)} exist: {', '.join(there)}")


def check_runtime_directory(directory: str | None = None, mounts: str = _MOUNTS) -> Finding:
    """Tell whether the files of kernels can be kept, where nobody else reads them.

    :param directory: Jupyter's runtime directory when ``None``
    :param mounts: the table of what is mounted, where the system has one
    """
    directory = os.path.abspath(directory or jupyter_runtime_dir())
    existing = _nearest_existing(directory)
    if not os.access(existing, os.W_OK | os.X_OK):
        return problem(f"{existing} cannot be written to", _ELSEWHERE)
    if (free := shutil.disk_usage(existing).free) < _BYTES_NEEDED:
        return problem(
            f"{existing} is full: {free:,} bytes are free", f"make room, or {_ELSEWHERE}"
        )
    if existing == directory and (objection := _objection_to_rights(directory)):
        return problem(objection, f"chmod 700 {directory}")
    kind = _file_system_of(existing, mounts)
    if kind in _OF_NETWORK:
        return problem(f"{directory} is on a network file system ({kind})", _ELSEWHERE)
    state = "0700" if existing == directory else "not made yet"
    return ok(f"{directory} ({state}{f', {kind}' if kind else ''})")


def _nearest_existing(path: str) -> str:
    while not os.path.isdir(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _objection_to_rights(directory: str) -> str | None:
    status = os.stat(directory)
    if not hasattr(os, "geteuid"):
        return None
    if status.st_uid != os.geteuid():
        return f"{directory} belongs to another user"
    mode = stat.S_IMODE(status.st_mode)
    return f"{directory} is open to others ({mode:04o})" if mode & 0o077 else None


def _file_system_of(path: str, mounts: str) -> str | None:
    """Return the type of the file system of a path, if the system tells it."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file]
    except OSError:
        return None
    path = os.path.join(os.path.realpath(path), "")
    # The longest is the nearest; of those, the last one mounted hides the others.
    found = [fields for fields in lines if path.startswith(os.path.join(_unescaped(fields[1]), ""))]
    return max(reversed(found), key=lambda fields: len(fields[1]))[2] if found else None


def _unescaped(path: str) -> str:
    return path.replace("\\040", " ").replace("\\134", "\\")
