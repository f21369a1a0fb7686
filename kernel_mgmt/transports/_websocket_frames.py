"""How a message is written to WebSocket frames, and read back, in the three framings that servers use."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import msgspec

from kernel_mgmt.messages import encode
from kernel_mgmt.types import Channel
from kernel_mgmt.wire import WireError

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer

__all__ = ("V1", "read_binary", "read_text", "write_json", "write_v1")

V1: Final = "v1.kernel.websocket.jupyter.org"
"""The subprotocol whose framing is binary; without it, JSON is spoken."""

# Frames larger than this (bytes) are not copied when they are taken apart.
_COPY_LIMIT = 16_384
_CHANNELS = frozenset(get_args(Channel)) - {"hb"}
_EMPTY = msgspec.Raw(b"{}")


class _Envelope(msgspec.Struct):
    """A message in JSON, of which only the outermost object is read."""

    channel: str
    header: msgspec.Raw
    parent_header: msgspec.Raw = _EMPTY
    metadata: msgspec.Raw = _EMPTY
    content: msgspec.Raw = _EMPTY


_read_envelope = msgspec.json.Decoder(_Envelope).decode
_PARTS = ("header", "parent_header", "metadata", "content")


def write_v1(channel: Channel, parts: Sequence[Buffer]) -> bytes:
    """Write a message in the framing of :data:`V1`: little-endian offsets, then the parts."""
    pieces = [channel.encode(), *parts]
    count = len(pieces) + 1
    offsets = accumulate(map(_size, pieces), initial=8 * (count + 1))
    return b"".join([struct.pack(f"<{count + 1}Q", count, *offsets), *pieces])


def write_json(channel: Channel, parts: Sequence[Buffer]) -> tuple[bool, bytes]:
    """Write a message in JSON, behind big-endian offsets if it has buffers.

    :return: whether it is text, and the data of the frame
    """
    names = [b'"%s":' % name.encode() for name in _PARTS]
    members = [b"%s%s" % pair for pair in zip(names, map(bytes, parts[:4]), strict=True)]
    members += [b'"channel":"%s"' % channel.encode(), b'"buffers":[]']
    envelope = b"{" + b",".join(members) + b"}"
    if len(parts) == 4:
        return True, envelope
    pieces = [envelope, *parts[4:]]
    count = len(pieces)
    offsets = accumulate(map(_size, pieces[:-1]), initial=4 * (count + 1))
    return False, b"".join([struct.pack(f">{count + 1}I", count, *offsets), *pieces])


def read_text(data: Buffer) -> tuple[Channel, list[Buffer]]:
    """Read a message from a text frame, which is always JSON.

    :return: its channel and its parts
    :raises WireError: if it is no message
    """
    try:
        envelope = _read_envelope(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_as_python_does(data)
    parts: list[Buffer] = [
        bytes(envelope.header),
        bytes(envelope.parent_header),
        bytes(envelope.metadata),
        bytes(envelope.content),
    ]
    return _channel(envelope.channel), parts


def read_binary(data: Buffer) -> tuple[Channel, list[Buffer]]:
    """Read a message from a binary frame, which tells by its offsets of which framing it is.

    There are servers that agree to one and speak the other.

    :return: its channel and its parts
    :raises WireError: if it is no message
    """
    if len(data) < 8:
        raise WireError("a binary frame is too short")
    count, first = struct.unpack_from(">2I", data)
    if count and first == 4 * (count + 1):
        pieces = _cut(data, f">{count}I", 4)
        channel, parts = read_text(pieces[0])
        return channel, [*parts, *pieces[1:]]
    count = int.from_bytes(data[:8], "little")
    if count < 6 or int.from_bytes(data[8:16], "little") != 8 * (count + 1):
        raise WireError("a binary frame is of no known framing")
    pieces = _cut(data, f"<{count}Q", 8)[:-1]
    return _channel(str(pieces[0], "utf-8", "replace")), pieces[1:]


def _cut(data: Buffer, layout: str, width: int) -> list[Buffer]:
    """Cut a frame at its offsets; the last piece reaches to its end."""
    try:
        offsets = [*struct.unpack_from(layout, data, width), len(data)]
    except struct.error as error:
        raise WireError(f"a binary frame is cut short: {error}") from None
    if any(start > end for start, end in pairwise(offsets)):
        raise WireError("the offsets of a binary frame do not rise")
    whole = data if len(data) < _COPY_LIMIT else memoryview(data)
    return [whole[start:end] for start, end in pairwise(offsets)]


def _read_as_python_does(data: Buffer) -> tuple[Channel, list[Buffer]]:
    """Read JSON with NaN, infinities or lone surrogates, which kernels send."""
    try:
        envelope = json.loads(str(data, "utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise WireError(f"a frame is no JSON: {error}") from None
    if not isinstance(envelope, dict) or "header" not in envelope:
        raise WireError("a frame in JSON is no message")
    message = cast("dict[str, Any]", envelope)
    return _channel(message.get("channel")), [encode(message.get(name, {})) for name in _PARTS]


def _channel(name: object) -> Channel:
    if name not in _CHANNELS:
        raise WireError(f"a message came on the unknown channel {name!r:.40}")
    return cast("Channel", name)


def _size(piece: Buffer) -> int:
    return memoryview(piece).nbytes
