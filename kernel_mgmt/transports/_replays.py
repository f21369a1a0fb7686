"""Tell the messages that have come before, as a server sends them again after a reconnection."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.types import Channel

__all__ = ("Replays", "id_of")


class _Header(msgspec.Struct, gc=False):
    msg_id: str = ""


_read_header = msgspec.json.Decoder(_Header | None).decode


def id_of(header: Buffer) -> str:
    """Return the id that a header has; empty if it has none, or is no header."""
    try:
        read = _read_header(header)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return "" if read is None else read.msg_id


class Replays:
    """Remembers the ids of the messages that have come of late.

    The states of a kernel, too, are messages of their own, each with its id.

    :param remembered: how many are remembered
    """

    def __init__(self, remembered: int = 16_384) -> None:
        self._remembered = remembered
        self._seen: set[tuple[Channel, str]] = set()
        self._order: deque[tuple[Channel, str]] = deque()

    def is_new(self, channel: Channel, parts: Sequence[Buffer]) -> bool:
        """Whether a message comes for the first time; it is remembered. One without an id is new."""
        key = (channel, id_of(parts[0]))
        if not key[1]:
            return True
        if key in self._seen:
            return False
        self._seen.add(key)
        self._order.append(key)
        if len(self._order) > self._remembered:
            self._seen.discard(self._order.popleft())
        return True
