"""How the frames of a message are taken from a ZeroMQ socket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import zmq

from kernel_mgmt.wire import DELIMITER

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer

__all__ = (
    "COPY_LIMIT",
    "MOST_AT_ONCE",
    "behind_what_is_cut_short",
    "is_small",
    "receive",
    "receive_signed",
)

# Frames larger than this (bytes) are not copied out of ZeroMQ's memory.
COPY_LIMIT = 16_384
# So many messages that are cut short may be received at once.
MOST_AT_ONCE = 6
_NOBLOCK = int(zmq.NOBLOCK)
_RCVMORE = int(zmq.RCVMORE)


def receive(socket: zmq.Socket[bytes]) -> list[Buffer]:
    """Take one message.

    :raises zmq.Again: if there is none
    """
    frames: list[Buffer] = []
    _receive_rest(socket, frames)
    return frames


def receive_signed(socket: zmq.Socket[bytes]) -> list[Buffer]:
    """Take one message of a kernel that signs, in half the time that :func:`receive` takes.

    Whether another frame follows is not asked for each frame, since the signature tells whether they
    belong together. So behind a message that is cut short may come the next one.

    :raises zmq.Again: if there is none
    """
    take = socket.recv
    frames: list[Buffer] = [take(_NOBLOCK)]
    try:
        if frames[0] != DELIMITER:
            if not socket.getsockopt(_RCVMORE):
                return frames
            frames.append(take(_NOBLOCK))
        if frames[-1] == DELIMITER:
            # The signature, the header, the parent header and the metadata.
            frames += [take(_NOBLOCK), take(_NOBLOCK), take(_NOBLOCK), take(_NOBLOCK)]
        elif not socket.getsockopt(_RCVMORE):
            return frames
        _receive_rest(socket, frames)
    except zmq.Again:
        pass  # All frames of a message are there at once, so this one has no more.
    return frames


def behind_what_is_cut_short(frames: list[Buffer]) -> list[Buffer]:
    """Return what :func:`receive_signed` took together with what is no message; often nothing."""
    if DELIMITER not in frames:
        return []
    rest = frames[frames.index(DELIMITER) + 1 :]
    return rest if DELIMITER in rest else []


def is_small(frames: Sequence[Buffer]) -> bool:
    """Whether a message that was received costs less than the wake for it."""
    return memoryview not in map(type, frames)


def _receive_rest(socket: zmq.Socket[bytes], frames: list[Buffer]) -> None:
    while True:
        frame = socket.recv(_NOBLOCK, copy=False)
        frames.append(frame.bytes if len(frame) < COPY_LIMIT else frame.buffer)
        if not frame.more:
            return
