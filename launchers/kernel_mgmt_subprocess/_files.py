"""The files of a kernel: made for their owner alone, read at the end, removed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

TAIL_BYTES = 4096
TAIL_LINES = 20
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_RIGHT = {errno.EACCES, errno.EPERM, errno.EROFS}


def open_new_file(path: str, flags: int) -> int:
    """Create a file of the mode 0600 and return its descriptor.

    :raises FileExistsError: if it is there already
    """
    return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)


def way_out(error: OSError) -> str:
    """Return what the end of a message may say of what to do about a file that cannot be written."""
    if error.errno in _NO_ROOM:
        return "; make room there, or set JUPYTER_RUNTIME_DIR to a directory elsewhere"
    if error.errno in _NO_RIGHT:
        return "; set JUPYTER_RUNTIME_DIR to a directory that this user may write to"
    return ""


def read_tail(path: str) -> str:
    """Return the last 20 lines of a file, at most 4 kB; nothing if it cannot be read."""
    content = b""
    try:
        with open(path, "rb") as file:
            # Where it was cut in between, there is nothing to read.
            while not content and (size := file.seek(0, os.SEEK_END)):
                file.seek(max(0, size - TAIL_BYTES))
                content = file.read()
    except OSError:
        return ""
    return "\n".join(content.decode(errors="replace").splitlines()[-TAIL_LINES:]).strip()


def remove_files(paths: Iterable[str]) -> None:
    """Remove files, and directories that hold nothing but files, as far as that can be done."""
    for path in paths:
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                remove_files(entry.path for entry in list(os.scandir(path)))
                os.rmdir(path)
            else:
                os.unlink(path)
        except OSError:
            continue
