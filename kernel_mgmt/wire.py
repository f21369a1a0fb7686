"""How a message is written to ZeroMQ frames, signed, and read back (messaging spec 5.5, "wire protocol")."""

from __future__ import annotations

import hmac
from collections import deque
from collections.abc import Sequence
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .abc import Buffer

__all__ = ("DELIMITER", "Signer", "WireError")

DELIMITER = b"<IDS|MSG>"


class WireError(ValueError):
    """Raised when frames are not a message, or are not signed with the key of the kernel."""


class Signer:
    """Signs messages, and tells which ones are signed.

    :param key: the key of the kernel
    :param scheme: ``hmac-`` and the name of a hash function
    :param allow_unsigned: whether the key may be empty; then nothing is signed, and everything that
        is a message is taken for the kernel's
    :param remembered: how many signatures are kept to find messages that are sent again
    :raises ValueError: if there is no such scheme, or the key is empty and may not be
    """

    def __init__(
        self,
        key: bytes,
        scheme: str = "hmac-sha256",
        *,
        allow_unsigned: bool = False,
        remembered: int = 16_384,
    ) -> None:
        if not key and not allow_unsigned:
            raise ValueError(
                "the connection info has no key, without which anybody can speak for the kernel; "
                "KernelClient(..., allow_unsigned=True) talks to it all the same"
            )
        self._hmac = _keyed(key, scheme) if key else None
        self._remembered = remembered
        self._seen: set[bytes] = set()
        self._order: deque[bytes] = deque()

    def sign(self, parts: Sequence[Buffer]) -> bytes:
        """Compute the signature over header, parent header, metadata and content."""
        if self._hmac is None:
            return b""
        digest = self._hmac.copy()
        for part in parts[:4]:
            digest.update(part)
        return digest.hexdigest().encode()

    def frames(self, parts: Sequence[Buffer]) -> list[Buffer]:
        """Write a message: delimiter, signature, parts."""
        return [DELIMITER, self.sign(parts), *parts]

    def parse(self, frames: Sequence[Buffer]) -> Sequence[Buffer]:
        """Read a message, whatever routing prefix it has.

        A signature is remembered only once it has been found right, so that a stranger can neither
        fill the memory of replays nor push anything out of it.

        :return: header, parent header, metadata, content, and the buffers
        :raises WireError: if it is no message, is signed wrongly, or has been seen before
        """
        try:
            start = frames.index(DELIMITER) + 1
        except ValueError:
            raise WireError("no delimiter") from None
        if len(frames) < start + 5:
            raise WireError("too few frames")
        parts = frames[start + 1 :]
        if self._hmac is None:
            return parts
        signature = bytes(frames[start])
        if not compare_digest(self.sign(parts), signature):
            raise WireError("wrong signature")
        seen, order = self._seen, self._order
        if signature in seen:
            raise WireError("seen before")
        seen.add(signature)
        order.append(signature)
        if len(order) > self._remembered:
            seen.discard(order.popleft())
        return parts


def _keyed(key: bytes, scheme: str) -> hmac.HMAC:
    kind, _, algorithm = scheme.partition("-")
    try:
        if kind == "hmac":
            return hmac.new(key, digestmod=algorithm or "none")
    except ValueError:
        pass
    raise ValueError(f"the signature scheme {scheme!r} is unknown; hmac-sha256 is usual")
