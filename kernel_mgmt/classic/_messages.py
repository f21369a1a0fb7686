"""Messages in the form that jupyter_client gives them: plain dicts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kernel_mgmt.messages import Message, encode

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.types import JSONDict

__all__ = ("as_dict", "as_parts")


def as_dict(message: Message) -> JSONDict:
    """Return a message as a dict; the dates of its headers are datetimes."""
    return {
        "header": _with_date(message.header),
        "msg_id": message.msg_id,
        "msg_type": message.msg_type,
        "parent_header": _with_date(message.parent_header),
        "metadata": message.metadata,
        "content": message.content,
        "buffers": message.buffers,
    }


def as_parts(message: Mapping[str, Any]) -> list[Buffer]:
    """Return the parts of a message that is given as a dict, ready to be sent.

    :raises KeyError: if it has no header
    :raises TypeError: if something in it has no form in JSON
    """
    return [
        encode(message["header"]),
        *(encode(message.get(key, {})) for key in ("parent_header", "metadata", "content")),
        *(message.get("buffers") or ()),
    ]


def _with_date(header: JSONDict) -> JSONDict:
    date = header.get("date")
    if not isinstance(date, str):
        return header
    try:
        moment = datetime.fromisoformat(date)
    except ValueError:
        return header
    # Some kernels leave the zone out, and mean that of the machine.
    return header | {"date": moment if moment.tzinfo else moment.astimezone()}
