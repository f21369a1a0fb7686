"""The messages of the Jupyter protocol: their parts as dicts, decoded when they are looked at."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import msgspec

if TYPE_CHECKING:
    from .abc import Buffer
    from .types import Channel, JSONDict

__all__ = ("PROTOCOL_VERSION", "Message", "MessageFactory", "decode", "encode")

PROTOCOL_VERSION = "5.5"
"""The version of the messaging specification that requests are written to."""


class _Header(msgspec.Struct, gc=False):
    msg_id: str = ""
    msg_type: str = ""


class _Status(msgspec.Struct, gc=False):
    execution_state: str = ""


_decode_header: Callable[[Buffer], _Header] = msgspec.json.Decoder(_Header).decode
# xeus sends `null` where others send `{}`.
_decode_parent: Callable[[Buffer], _Header | None] = msgspec.json.Decoder(_Header | None).decode
_decode_status: Callable[[Buffer], _Status] = msgspec.json.Decoder(_Status).decode
# What a message takes in memory besides its content and buffers (bytes, measured).
_OVERHEAD = 1500
# What msgspec raises for NaN and lone surrogates, which kernels send, as for what is no JSON at all.
_REFUSED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def encode(value: object) -> bytes:
    """Encode one part of a message as JSON.

    NaN and infinities stay what they are, in the spelling that Python's ``json`` reads and writes.

    :raises TypeError: if the value has no form in JSON
    """
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value, default=msgspec.to_builtins).encode()
    # msgspec writes `null` for NaN; what looks like it is written again by the standard library.
    if b"null" in encoded:
        return json.dumps(value, default=msgspec.to_builtins).encode()
    return encoded


def decode(part: Buffer) -> Any:
    """Decode one part of a message, also one with NaN, infinities or lone surrogates.

    :raises ValueError: if it is not JSON, or is nested too deeply
    """
    try:
        return msgspec.json.decode(part)
    except _REFUSED:
        return _decode_as_python_does(part)


def _decode_as_python_does(part: Buffer) -> Any:
    try:
        return json.loads(str(part, "utf-8", "replace"))
    except RecursionError:
        raise ValueError("a part of a message is nested too deeply") from None


class Message:
    """A message, sent or received.

    :ivar channel: the channel that it came by
    :ivar msg_id: its own id
    :ivar msg_type: its type, such as ``"execute_reply"``
    :ivar parent_id: the id of the message that it answers; empty if there is none
    :ivar parts: header, parent header, metadata and content as JSON, then the binary buffers
    """

    __slots__ = ("_decoded", "channel", "msg_id", "msg_type", "parent_id", "parts")

    def __init__(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        """Read the headers of a message that was received.

        :raises ValueError: if the parts are too few, or a header is not what it should be
        """
        if len(parts) < 4:
            raise ValueError(f"a message has at least 4 parts, not {len(parts)}")
        try:
            header = _decode_header(parts[0])
            parent = _decode_parent(parts[1])
        except _REFUSED:
            header = msgspec.convert(_decode_as_python_does(parts[0]), _Header)
            parent = msgspec.convert(_decode_as_python_does(parts[1]), _Header | None)
        self.channel: Channel = channel
        self.parts = parts
        self.msg_id = header.msg_id
        self.msg_type = header.msg_type
        self.parent_id = "" if parent is None else parent.msg_id
        self._decoded: dict[int, JSONDict] | None = None

    @property
    def header(self) -> JSONDict:
        """The header."""
        return self._part(0)

    @property
    def parent_header(self) -> JSONDict:
        """The header of the message that this one answers; empty if there is none."""
        return self._part(1)

    @property
    def metadata(self) -> JSONDict:
        """The metadata."""
        return self._part(2)

    @property
    def content(self) -> JSONDict:
        """The content.

        :raises ValueError: if the kernel sent something else than JSON
        """
        return self._part(3)

    @property
    def buffers(self) -> list[memoryview]:
        """The binary buffers, which share the memory that they were received in."""
        return [memoryview(part) for part in self.parts[4:]]

    @property
    def execution_state(self) -> str:
        """What a ``status`` message tells: ``"busy"``, ``"idle"``, ``"starting"``; else empty."""
        if self.msg_type != "status":
            return ""
        try:
            status = _decode_status(self.parts[3])
        except _REFUSED:
            try:
                status = msgspec.convert(_decode_as_python_does(self.parts[3]), _Status)
            except ValueError:
                return ""
        return status.execution_state

    @property
    def size(self) -> int:
        """How many bytes it takes in memory, about."""
        parts = self.parts
        size = len(parts[3]) + _OVERHEAD
        return size if len(parts) == 4 else size + sum(map(len, parts[4:]))

    def __repr__(self) -> str:
        return f"<Message {self.msg_type!r} on {self.channel} for {self.parent_id!r}>"

    def _part(self, index: int) -> JSONDict:
        if self._decoded is None:
            self._decoded = {}
        try:
            return self._decoded[index]
        except KeyError:
            value = decode(self.parts[index])
            if value is None:  # xeus sends `null` where others send `{}`
                value = {}
            if not isinstance(value, dict):
                raise ValueError(f"a part of a message is no object: {value!r:.100}") from None
            part = self._decoded[index] = cast("JSONDict", value)
            return part


class MessageFactory:
    """Makes the messages that one client sends.

    :param session: the id of the client's session; made up when ``None``
    :param username: the name that goes into the headers; the user's when ``None``
    """

    def __init__(self, session: str | None = None, username: str | None = None) -> None:
        self.session = session or uuid4().hex
        self.username = os.environ.get("USER", "username") if username is None else username
        self._prefix = f"{self.session}_{os.getpid()}_"
        self._count = 0

    def has_made(self, msg_id: str) -> bool:
        """Whether a message with this id is one of this client's."""
        return msg_id.startswith(self._prefix)

    def make(
        self,
        msg_type: str,
        content: Mapping[str, object],
        *,
        parent_header: Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
        buffers: Sequence[Buffer] = (),
        header: Mapping[str, object] | None = None,
    ) -> tuple[str, list[Buffer]]:
        """Make a message.

        :param header: more items for the header
        :param buffers: sent as they are, without a copy; those with gaps are copied
        :return: the id and the parts of the message
        """
        self._count += 1
        msg_id = f"{self._prefix}{self._count}"
        full_header: dict[str, object] = {
            "msg_id": msg_id,
            "msg_type": msg_type,
            "username": self.username,
            "session": self.session,
            "date": datetime.now(UTC).isoformat(),
            "version": PROTOCOL_VERSION,
        }
        if header:
            full_header |= header
        return msg_id, [
            encode(full_header),
            encode(parent_header) if parent_header else b"{}",
            encode(metadata) if metadata else b"{}",
            encode(content),
            *map(_in_one_piece, buffers),
        ]


def _in_one_piece(buffer: Buffer) -> Buffer:
    view = memoryview(buffer)
    return buffer if view.c_contiguous else view.tobytes()
