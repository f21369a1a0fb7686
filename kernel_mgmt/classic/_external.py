"""Kernels that others have started, as their connection files come and go."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from os import PathLike, fspath
from typing import TYPE_CHECKING

from kernel_mgmt.connection_files import read_connection_file

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("ExternalKernels",)


class ExternalKernels:
    """The kernels whose connection files are in a directory, each under an id.

    :param directory: it need not be there
    """

    def __init__(self, directory: str | PathLike[str]) -> None:
        self._directory = fspath(directory)
        self._ids: dict[str, str] = {}

    def forget_those_gone(self) -> list[str]:
        """Forget the kernels whose files have vanished, and return their ids."""
        present = set(self._paths())
        gone = [path for path in self._ids if path not in present]
        return [self._ids.pop(path) for path in gone]

    def find_new(self, ours: Collection[str]) -> Iterator[tuple[str, ConnectionInfo]]:
        """Yield the path and the content of each file that is not known yet.

        :param ours: paths that are of no interest
        """
        for path in self._paths():
            if path not in self._ids and path not in ours:
                info = _read(path)
                if info is not None:
                    yield path, info

    def remember(self, path: str, kernel_id: str) -> None:
        """Know a kernel from now on."""
        self._ids[path] = kernel_id

    def _paths(self) -> list[str]:
        try:
            with os.scandir(self._directory) as entries:
                return sorted(os.path.abspath(entry.path) for entry in entries if entry.is_file())
        except (FileNotFoundError, NotADirectoryError):
            return []


def _read(path: str) -> ConnectionInfo | None:
    # What cannot be read may be half written, and is looked at again next time.
    try:
        info = read_connection_file(path)
    except (OSError, ValueError):
        return None
    return info if info.get("key") and "kernel_name" in info else None
