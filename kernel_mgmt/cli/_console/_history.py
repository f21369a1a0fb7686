"""What was typed before: the kernel's history, and the console's own."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import anyio

from kernel_mgmt.client._lenient import content_of
from kernel_mgmt.paths import jupyter_data_dir

if TYPE_CHECKING:
    from kernel_mgmt.client import KernelClient

__all__ = ("HistoryFile", "ask_for_history", "merge_histories")

log = logging.getLogger(__name__)

# How much of each history is taken: entries of the kernel's, bytes of the file.
_ENTRIES_MOST = 1000
_BYTES_MOST = 1_000_000


class HistoryFile:
    """The cells that were typed at consoles for one language: a JSON string on each line.

    Several consoles may write it at once. One that cannot be read or written is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_language(cls, language: str) -> HistoryFile:
        """The file for a language, in Jupyter's data directory."""
        name = re.sub(r"[^a-z0-9+#-]+", "-", language.lower()) or "unknown"
        return cls(Path(jupyter_data_dir(), "kernel-mgmt", f"history-{name}.jsonl"))

    def read(self) -> list[str]:
        """Return the cells, the oldest first."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _BYTES_MOST))
                lines = file.read().splitlines()
        except OSError:
            return []
        return [cell for line in lines if (cell := _read_line(line)) is not None]

    def append(self, cell: str) -> None:
        """Add a cell; only the user can read the file."""
        line = json.dumps(cell).encode() + b"\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            log.warning("the history cannot be kept: %s", error)


async def ask_for_history(client: KernelClient, limit: float) -> list[str]:
    """Return the cells that the kernel remembers, the oldest first.

    :param limit: how long it may take, in seconds; then there are none
    """
    with anyio.move_on_after(limit):
        reply = await client.history(hist_access_type="tail", n=_ENTRIES_MOST)
        found = content_of(reply).get("history")
        items = cast("list[object]", found) if isinstance(found, list) else []
        return [cell for item in items if (cell := _cell_of(item))]
    return []


def merge_histories(*histories: Iterable[str]) -> list[str]:
    """Join histories, the oldest first; of a cell that comes again only the latest stays."""
    merged = dict.fromkeys(cell for history in reversed(histories) for cell in reversed([*history]))
    return [*merged][::-1]


def _read_line(line: bytes) -> str | None:
    try:
        cell = json.loads(line)
    except ValueError:  # the first may be cut off
        return None
    return cell if isinstance(cell, str) else None


def _cell_of(item: object) -> str:
    """The cell of a ``(session, line, cell)``, or of a ``(session, line, (cell, output))``."""
    parts = cast("list[object]", item) if isinstance(item, list) else []
    cell = parts[2] if len(parts) > 2 else ""
    if isinstance(cell, list) and cell:
        cell = cast("list[object]", cell)[0]
    return cell if isinstance(cell, str) else ""
