"""Messages as jupyter_client has them, read from their parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.adapter import adapt
from jupyter_client.jsonutil import extract_dates

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.jupyter._inbox import Message

__all__ = ("read_header", "read_message")


def read_message(parts: Sequence[Buffer]) -> Message:
    """Read a message, with the dates of the headers as such, and buffers as memoryviews.

    :raises ValueError: if it is none
    """
    header, parent_header, metadata, content = map(_read, parts[:4])
    message: Message = {
        "header": extract_dates(header),
        "msg_id": header.get("msg_id"),
        "msg_type": header.get("msg_type"),
        "parent_header": extract_dates(parent_header),
        "metadata": metadata,
        "content": content,
        "buffers": [memoryview(part) for part in parts[4:]],
    }
    # Kernels of protocol 4 are understood, too.
    return adapt(message)


def read_header(parts: Sequence[Buffer]) -> dict[str, Any]:
    """Read the header of a message, as it is on the wire.

    :raises ValueError: if it is none
    """
    return _read(parts[0])


def _read(part: Buffer) -> dict[str, Any]:
    found: object = json.loads(str(part, "utf-8", "replace"))
    if not isinstance(found, dict):
        raise ValueError("a part of a message is no JSON object")
    return cast("dict[str, Any]", found)
