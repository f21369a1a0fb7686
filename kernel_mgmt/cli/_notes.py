"""What kernel_mgmt writes to its loggers, told to the user."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from ._terminal import say

__all__ = ("told_notes",)


@contextmanager
def told_notes() -> Generator[None]:
    """Tell on stderr all that kernel_mgmt, its launchers and its providers log in the block."""
    root, handler = logging.getLogger(), _Teller()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _Teller(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        # A provider of others has a name of its own, and warns at least.
        self.addFilter(lambda record: record.name.startswith("kernel_mgmt") or _is_grave(record))

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record))


def _is_grave(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
