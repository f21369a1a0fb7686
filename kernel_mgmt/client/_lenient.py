"""What kernels put into their messages, made into what it should be."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

__all__ = ("content_of", "lines_of", "object_of", "text_of")

log = logging.getLogger(__name__)


def content_of(message: Message) -> JSONDict:
    """The content of a message; empty, with a line in the log, where it is no JSON object."""
    try:
        return message.content
    except ValueError as error:
        log.warning("the content of a %s message cannot be read: %s", message.msg_type, error)
        return {}


def object_of(value: object) -> JSONDict:
    """An object; an empty one in place of anything else."""
    return cast("JSONDict", value) if isinstance(value, dict) else {}


def text_of(value: object) -> str:
    """Text, also where it comes in pieces, or is something else."""
    if isinstance(value, list):
        return "".join(map(text_of, cast("list[object]", value)))
    return "" if value is None else str(value)


def lines_of(value: object) -> list[str]:
    """Lines, also where they come as one text."""
    if isinstance(value, list):
        return [text_of(line) for line in cast("list[object]", value)]
    return text_of(value).splitlines()
