"""Who speaks to a kernel: the id and name in each header, and the key that signs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING
from uuid import uuid4

from kernel_mgmt.messages import PROTOCOL_VERSION

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict

__all__ = ("Session",)


class Session:
    """The session of a client: what goes into the header of each message, and the key.

    :param session: the id; made up when ``None``
    :param username: the name of the sender; the user's when ``None``
    :param key: signs the messages
    :param signature_scheme: ``hmac-`` and the name of a hash function
    """

    def __init__(
        self,
        session: str | None = None,
        username: str | None = None,
        key: bytes | str = b"",
        signature_scheme: str = "hmac-sha256",
    ) -> None:
        self.session = session or uuid4().hex
        self.username = os.environ.get("USER", "username") if username is None else username
        self.key = key.encode() if isinstance(key, str) else key
        self.signature_scheme = signature_scheme
        self._numbers = count(1)
        # A client counts its own messages: these must not look like them.
        self._prefix = f"{self.session}_{os.getpid()}_{uuid4().hex[:8]}_"

    @property
    def bsession(self) -> bytes:
        """The id, as bytes."""
        return self.session.encode()

    def clone(self) -> Session:
        """Return one with the same values."""
        return Session(self.session, self.username, self.key, self.signature_scheme)

    def msg(
        self,
        msg_type: str,
        content: Mapping[str, object] | None = None,
        parent: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> JSONDict:
        """Make a message, for the ``send`` of a channel.

        :param parent: the message, or the header of the message, that it answers
        :param header: the header; made up when ``None``
        """
        full_header = self._header(msg_type) if header is None else dict(header)
        return {
            "header": full_header,
            "msg_id": full_header["msg_id"],
            "msg_type": full_header["msg_type"],
            "parent_header": {} if parent is None else parent.get("header", parent),
            "content": dict(content or {}),
            "metadata": dict(metadata or {}),
        }

    def _header(self, msg_type: str) -> JSONDict:
        return {
            "msg_id": f"{self._prefix}{next(self._numbers)}",
            "msg_type": msg_type,
            "username": self.username,
            "session": self.session,
            "date": datetime.now(UTC),
            "version": PROTOCOL_VERSION,
        }
