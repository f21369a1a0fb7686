"""Read the log of a kernel while the kernel writes it and its guardian cuts it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO

__all__ = ("KEPT_BYTES", "LogReader")

_CHUNK = 1 << 16
# By these last bytes that were read, the place is found again in a log that has been cut.
_ANCHOR = 1 << 13
# What the guardian leaves of a log that has become too long, but for what a block has besides.
KEPT_BYTES = 2 << 20
_BLOCK = 1 << 12


class LogReader:
    """Reads a file to which others append, and of which others take away the beginning.

    What has been read is not read again, and nothing is passed over that was there to be read.

    :ivar is_in_doubt: whether the file may be in the midst of being cut; it is to be read again, soon
    :raises OSError: if it cannot be opened
    """

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._position = 0
        self._anchor = b""
        self.is_in_doubt = False

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def go_to_last(self, lines: int) -> None:
        """Go to the beginning of the last lines."""
        position = os.fstat(self._descriptor).st_size
        found = b""
        while position and found.count(b"\n") <= lines:
            position = max(0, position - _CHUNK)
            found = os.pread(self._descriptor, _CHUNK, position) + found
        # A progress bar returns to the beginning of its line often; it is one line.
        kept = BytesIO(found).readlines()[-lines:] if lines else []
        self._settle(position + len(found) - sum(map(len, kept)))

    def read(self) -> Iterator[bytes]:
        """Yield all that is there and has not been read yet."""
        while new := self._read_some():
            yield new

    def _read_some(self) -> bytes:
        # One system call for both, so that the file is not cut in between.
        found = os.pread(
            self._descriptor, len(self._anchor) + _CHUNK, self._position - len(self._anchor)
        )
        if not found.startswith(self._anchor):
            return self._find_place_again()
        self.is_in_doubt = False
        new = found[len(self._anchor) :]
        is_first = not self._position
        self._position += len(new)
        self._anchor = (self._anchor + new)[-_ANCHOR:]
        return _without_blank_line(new) if is_first else new

    def _find_place_again(self) -> bytes:
        if not self.is_in_doubt:
            self.is_in_doubt = True
            return b""
        self.is_in_doubt = False
        content = self._content()
        # Where a log repeats itself there are several places that fit. The last is meant that is there
        # if nothing was written between what was read and the cut.
        at = content.rfind(self._anchor, 0, self._place_after_cut(content))
        if at < 0:
            at = content.rfind(self._anchor)
        if at < 0:
            # More was taken away than was read.
            self._position, self._anchor = 0, b""
        else:
            self._position = at + len(self._anchor)
        return self._read_some()

    def _place_after_cut(self, content: bytes) -> int:
        """Return where the place is if nothing was written between what was read and the cut."""
        by_blocks = _without_blank_line(content) is not content
        besides = (self._position - KEPT_BYTES) % _BLOCK if by_blocks else 0
        return min(self._position, KEPT_BYTES + besides)

    def _content(self) -> bytes:
        parts: list[bytes] = []
        position = 0
        while part := os.pread(self._descriptor, 1 << 20, position):
            parts.append(part)
            position += len(part)
        return b"".join(parts)

    def _settle(self, position: int) -> None:
        start = max(0, position - _ANCHOR)
        self._anchor = os.pread(self._descriptor, position - start, start)
        self._position = position


def _without_blank_line(content: bytes) -> bytes:
    # Of the line in which a log was cut that was cut by blocks, blanks are left.
    line, end, rest = content.partition(b"\n")
    return rest if end and line and not line.strip(b" ") else content
