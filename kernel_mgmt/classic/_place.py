"""The connection file where a program wants it, beside the one that the kernel was given."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("put_connection_file", "remove_connection_file")


def put_connection_file(path: str, original: str | None, info: ConnectionInfo) -> None:
    """Have a connection file at a path.

    It is a link to that of the kernel, if it has one: so no key is left where the link is when the
    kernel is gone.

    :param original: the path of the kernel's own
    :param info: what to write if it has none
    :raises OSError: if it cannot be written
    """
    remove_connection_file(path)
    if original is not None:
        with suppress(OSError, NotImplementedError):  # as on Windows, for most users
            os.symlink(original, path)
            return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(info, file, indent=1)


def remove_connection_file(path: str) -> None:
    """Remove a connection file; nothing happens if it is not there."""
    with suppress(FileNotFoundError):
        os.remove(path)
