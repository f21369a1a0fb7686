"""Kernels that speak version 4 of the protocol, made to look like those of version 5.

The differences are those that the changelog of the messaging specification lists for 5.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from kernel_mgmt.messages import Message, encode

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict

__all__ = ("Protocol4", "speaks_protocol_4")

_Content: TypeAlias = Mapping[str, Any]

_NAMES_IN_4 = {"inspect_request": "object_info_request"}
_NAMES_IN_5 = {
    "object_info_reply": "inspect_reply",
    "pyin": "execute_input",
    "pyout": "execute_result",
    "pyerr": "error",
}


def speaks_protocol_4(reply: Message) -> bool:
    """Whether a ``kernel_info_reply`` comes from a kernel of version 4."""
    version = _dotted(reply.content.get("protocol_version", "5"))
    return version.split(".")[0] in ("3", "4")


class Protocol4:
    """Translates requests to version 4, and what comes back from it."""

    def __init__(self) -> None:
        self._cursors: dict[str, int] = {}

    def request(self, msg_type: str, content: _Content) -> tuple[str, _Content]:
        """Translate a request."""
        translate = _REQUESTS.get(msg_type)
        return _NAMES_IN_4.get(msg_type, msg_type), translate(content) if translate else content

    def sent(self, msg_id: str, content: _Content) -> None:
        """Remember where the cursor of a request stood: replies of version 4 do not tell."""
        if "cursor_pos" in content and "code" in content:
            self._cursors[msg_id] = content["cursor_pos"]

    def received(self, message: Message) -> Message:
        """Translate a message that has come from the kernel."""
        cursor = self._cursors.pop(message.parent_id, 0) if message.channel == "shell" else 0
        translate = _MESSAGES.get(message.msg_type)
        if translate is None:
            return message
        header = {
            **message.header,
            "msg_type": _NAMES_IN_5.get(message.msg_type, message.msg_type),
        }
        content = translate(message.content, cursor)
        parts = [encode(header), *message.parts[1:3], encode(content), *message.parts[4:]]
        return Message(message.channel, parts)


def _execute_request(content: _Content) -> _Content:
    return {**content, "user_variables": []}


def _complete_request(content: _Content) -> _Content:
    line, cursor = _line_at(content["code"], content["cursor_pos"])
    return {"text": "", "line": line, "block": None, "cursor_pos": cursor}


def _inspect_request(content: _Content) -> _Content:
    line, cursor = _line_at(content["code"], content["cursor_pos"])
    start, end = cursor, cursor
    while start > 0 and _is_of_name(line[start - 1]):
        start -= 1
    while end < len(line) and _is_of_name(line[end]):
        end += 1
    return {"oname": line[start:end], "detail_level": content.get("detail_level", 0)}


def _kernel_info_reply(content: _Content, cursor: int) -> JSONDict:
    version: object = content.get("protocol_version", "4.1")
    language = str(content.get("language", ""))
    return {
        "implementation": "ipython" if "ipython_version" in content else language,
        "implementation_version": _dotted(content.get("ipython_version", "")),
        "banner": "",
        **content,
        "status": "ok",
        "protocol_version": _dotted(version),
        "language_info": {
            "name": language,
            "version": _dotted(content.get("language_version", "")),
        },
    }


def _complete_reply(content: _Content, cursor: int) -> JSONDict:
    matched = str(content.get("matched_text", ""))
    return {
        "status": content.get("status", "ok"),
        "matches": content.get("matches", []),
        "metadata": {},
        "cursor_start": max(0, cursor - len(matched)),
        "cursor_end": cursor,
    }


def _inspect_reply(content: _Content, cursor: int) -> JSONDict:
    texts = [
        f"{key}: {content[key]}"
        for key in ("type_name", "string_form", "definition", "docstring")
        if content.get(key)
    ]
    found = bool(content.get("found"))
    data = {"text/plain": "\n".join(texts)} if found else {}
    return {"status": "ok", "found": found, "data": data, "metadata": {}}


def _same(content: _Content, cursor: int) -> JSONDict:
    return dict(content)


def _stream(content: _Content, cursor: int) -> JSONDict:
    # A kernel may claim version 4, and speak as in version 5.
    text = content.get("data", content.get("text", ""))
    return {"name": content.get("name", "stdout"), "text": text}


def _input_request(content: _Content, cursor: int) -> JSONDict:
    return {"password": False, **content}


_REQUESTS: dict[str, Callable[[_Content], _Content]] = {
    "execute_request": _execute_request,
    "complete_request": _complete_request,
    "inspect_request": _inspect_request,
}
_MESSAGES: dict[str, Callable[[_Content, int], JSONDict]] = {
    "kernel_info_reply": _kernel_info_reply,
    "complete_reply": _complete_reply,
    "object_info_reply": _inspect_reply,
    "pyin": _same,
    "pyout": _same,
    "pyerr": _same,
    "stream": _stream,
    "input_request": _input_request,
}


def _line_at(code: str, cursor: int) -> tuple[str, int]:
    """The line that the cursor stands in, and where it stands in it."""
    start = code.rfind("\n", 0, cursor) + 1
    end = code.find("\n", cursor)
    return code[start : len(code) if end < 0 else end], cursor - start


def _is_of_name(character: str) -> bool:
    return character.isalnum() or character in "_."


def _dotted(version: object) -> str:
    if isinstance(version, list):
        return ".".join(map(str, cast("list[object]", version)))
    return str(version)
