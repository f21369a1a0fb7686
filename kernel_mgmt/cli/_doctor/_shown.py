"""The text that a message of iopub shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

__all__ = ("shown_text",)


def shown_text(message: Message) -> str:
    """Return the text of an output; of other messages none."""
    if message.msg_type not in ("execute_result", "display_data", "stream"):
        return ""
    content = message.content
    if message.msg_type == "stream":
        return str(content.get("text", ""))
    data: object = content.get("data")
    return str(cast("dict[str, Any]", data).get("text/plain")) if isinstance(data, dict) else ""
