"""Connection files: how a kernel that is already running is found (JEP 106)."""

from __future__ import annotations

import json
import os
from fnmatch import fnmatch
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, cast

from .paths import jupyter_runtime_dir

if TYPE_CHECKING:
    from .types import ConnectionInfo, JSONDict

__all__ = ("find_connection_file", "read_connection_file")

_TEXTS = ("transport", "ip", "key", "signature_scheme", "curve_publickey", "curve_secretkey")


def find_connection_file(
    pattern: str = "kernel-*.json", *, directory: str | PathLike[str] | None = None
) -> str:
    """Find the connection file that is meant, the latest if several fit.

    :param pattern: a path, the name of a file in the runtime directory, a glob of one, or a part of
        one, such as the beginning of a kernel id
    :param directory: where to look; Jupyter's runtime directory when ``None``
    :raises FileNotFoundError: if there is none
    """
    if os.path.isfile(pattern):
        return os.path.abspath(pattern)
    directory = jupyter_runtime_dir() if directory is None else fspath(directory)
    globs = (pattern, f"kernel-{pattern}.json", f"*{pattern}*.json")
    for glob in globs:
        found = [
            entry.path
            for entry in _entries(directory)
            if fnmatch(entry.name, glob) and not entry.name.endswith(".record.json")
        ]
        if found:
            return max(found, key=os.path.getmtime)
    raise FileNotFoundError(f"No connection file in {directory} fits {pattern!r}")


def read_connection_file(path: str | PathLike[str]) -> ConnectionInfo:
    """Read a connection file.

    :raises OSError: if it cannot be read
    :raises ValueError: if it is not one
    """
    with open(path, encoding="utf-8") as file:
        try:
            info: Any = json.load(file)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{fspath(path)} is not a connection file: {error}") from error
    if not isinstance(info, dict) or "shell_port" not in info:
        raise ValueError(f"{fspath(path)} is not a connection file: it names no shell_port")
    fields = cast("JSONDict", info)
    for field in _TEXTS:
        if not isinstance(fields.get(field, ""), str):
            raise ValueError(f"{fspath(path)} is not a connection file: its {field} is no text")
    connection_info = cast("ConnectionInfo", info)
    connection_info.setdefault("transport", "tcp")
    return connection_info


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
