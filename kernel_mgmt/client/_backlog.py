"""What has been received and not yet consumed, counted and bounded."""

from __future__ import annotations

__all__ = ("Backlog",)


class Backlog:
    """Counts the bytes that one client holds for those who have not yet consumed them.

    :param limit: in bytes
    """

    __slots__ = ("held", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
