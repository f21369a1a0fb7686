"""Show what a kernel publishes for code, as it comes."""

from __future__ import annotations

import binascii
import os
import sys
from base64 import b64decode
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, TextIO

import click

from kernel_mgmt.client._interactive import write_text
from kernel_mgmt.client._lenient import content_of, lines_of, object_of, text_of

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

__all__ = ("OutputPrinter", "has_colour")

# What is saved as a file, the best first; all but the last two come in base64.
_SUFFIXES = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "image/svg+xml": ".svg",
    "text/html": ".html",
}
_TEXTS = ("text/plain", "text/markdown", "text/latex")
# How much of what has been printed is kept, to know how many rows it takes (characters).
_KEPT = 50_000


class OutputPrinter:
    """Shows the outputs of code: text as it comes, images as files whose paths are told.

    Streams go to stdout and stderr, results and displays as text to stdout, errors as the kernel's
    traceback to stderr. At a terminal, ``clear_output`` takes back what was shown; elsewhere it has
    no effect. Make one for each request at a terminal where others write, too.

    :param directory: where images are saved; it is made if need be, and no file in it is
        overwritten. By default a new directory for temporary files
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._numbers = count(1)
        self._shown = ""
        self._last: TextIO | None = sys.stdout
        self._clear_at_next = False

    def show(self, message: Message) -> None:
        """Show a message of iopub; one that is no output is passed over.

        :raises BrokenPipeError: if nobody reads any more
        """
        match message.msg_type:
            case "stream":
                self._show_stream(content_of(message))
            case "display_data" | "execute_result" | "update_display_data":
                self._show_data(object_of(content_of(message).get("data")))
            case "error":
                self.show_traceback(lines_of(content_of(message).get("traceback")))
            case "clear_output":
                self._clear_at_next = True
                if not content_of(message).get("wait"):
                    self._clear_if_due()
            case _:
                pass

    def show_traceback(self, lines: list[str]) -> None:
        """Show the lines of a kernel's traceback."""
        if lines:
            self._write_line(_plain_if_need_be("\n".join(lines), sys.stderr), sys.stderr)

    def _show_stream(self, content: JSONDict) -> None:
        name = text_of(content.get("name"))
        self._write(text_of(content.get("text")), sys.stderr if name == "stderr" else sys.stdout)

    def _show_data(self, data: JSONDict) -> None:
        text = next((data[kind] for kind in _TEXTS if kind in data), None)
        if text is not None:
            self._write_line(_plain_if_need_be(text_of(text), sys.stdout), sys.stdout)
        for mime_type, suffix in _SUFFIXES.items():
            if mime_type in data and (text is None or mime_type != "text/html"):
                self._save(text_of(data[mime_type]), mime_type, suffix)
                break

    def _save(self, text: str, mime_type: str, suffix: str) -> None:
        try:
            content = text.encode() if suffix in (".svg", ".html") else b64decode(text)
        except binascii.Error as error:
            self._tell(f"What the kernel shows as {mime_type} is none: {error}")
            return
        self._tell(f"Saved {mime_type}: {self._write_file(content, suffix)}")

    def _write_file(self, content: bytes, suffix: str) -> Path:
        if self._directory is None:
            self._directory = Path(mkdtemp(prefix="kernel-mgmt-"))
        self._directory.mkdir(parents=True, exist_ok=True)
        while True:
            path = self._directory / f"{next(self._numbers)}{suffix}"
            try:
                with path.open("xb") as file:
                    file.write(content)
            except FileExistsError:
                continue
            return path

    def _tell(self, text: str) -> None:
        self._write_line(text, sys.stderr)

    def _write_line(self, text: str, stream: TextIO | None) -> None:
        """Write text that begins on a line of its own, and ends it."""
        self._clear_if_due()
        begun = bool(self._shown) and not self._shown.endswith("\n")
        together = self._last is stream or (_is_terminal(self._last) and _is_terminal(stream))
        self._write(("\n" if begun and together else "") + text + "\n", stream)

    def _write(self, text: str, stream: TextIO | None) -> None:
        if not text:
            return
        self._clear_if_due()
        self._shown = (self._shown + text)[-_KEPT:]
        self._last = stream
        _write(text, stream)

    def _clear_if_due(self) -> None:
        if self._clear_at_next and _is_terminal(sys.stdout):
            _write(_taking_back(self._shown), sys.stdout)
            self._shown = ""
        self._clear_at_next = False


def has_colour(stream: TextIO | None) -> bool:
    """Whether colours may be written to a stream."""
    return _is_terminal(stream) and not os.environ.get("NO_COLOR")


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def _plain_if_need_be(text: str, stream: TextIO | None) -> str:
    return text if has_colour(stream) else click.unstyle(text)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is not None:  # else it was closed when the command began
        write_text(text, stream)


def _taking_back(text: str) -> str:
    """What makes a terminal erase the text that it shows last."""
    rows = sum(map(_rows_of, text.split("\n"))) - 1
    return (f"\x1b[{rows}A" if rows else "") + "\r\x1b[J"


def _rows_of(line: str) -> int:
    from shutil import get_terminal_size

    from rich.cells import cell_len

    width = cell_len(click.unstyle(line.rpartition("\r")[2]))
    return max(1, -(-width // get_terminal_size().columns))
