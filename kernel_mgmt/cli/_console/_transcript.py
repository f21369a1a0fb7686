"""What cells put out, at a terminal where a prompt follows."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from kernel_mgmt.cli._outputs import OutputPrinter, has_colour
from kernel_mgmt.client._lenient import content_of, object_of, text_of
from kernel_mgmt.messages import Message, encode

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict

__all__ = ("Transcript", "labelled")


class Transcript:
    """Shows outputs, results with their count, and knows where the cursor is.

    Images are saved in one directory, which is there from the beginning of the block to its end, and
    stays if anything is in it.

    :ivar directory: where images are saved
    :ivar line: what stands on the line of the cursor before it
    """

    def __init__(self) -> None:
        self.line = ""
        self._last: OutputPrinter | None = None

    def __enter__(self) -> Self:
        self.directory = Path(mkdtemp(prefix="kernel-mgmt-"))
        self._aside = OutputPrinter(self.directory)
        self.begin_cell()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            os.rmdir(self.directory)

    def begin_cell(self) -> None:
        """Take what is shown from now on as the output of another cell."""
        self._cell = OutputPrinter(self.directory)

    def show(self, message: Message) -> None:
        """Show what the present cell has published."""
        self._show(message, self._cell)

    def show_aside(self, message: Message, label: str = "") -> None:
        """Show what another cell has published: one of before, or of another client.

        :param label: says whose it is
        """
        if message.msg_type == "execute_input":
            content = content_of(message)
            count, code = content.get("execution_count"), text_of(content.get("code"))
            self.write(f"{label}In [{count}]: {code}\n")
        else:
            self._show(message, self._aside, label)

    def write(self, text: str) -> None:
        """Write text that begins on a line of its own."""
        self.end_line()
        sys.stdout.write(text if has_colour(sys.stdout) else click.unstyle(text))
        sys.stdout.flush()
        self.line = "" if text.endswith("\n") else text.rpartition("\n")[2]

    def end_line(self) -> None:
        """Go to the beginning of a line, if the cursor is not there."""
        if self.line:
            sys.stdout.write("\n")
            sys.stdout.flush()
            self.line = ""

    def _show(self, message: Message, printer: OutputPrinter, label: str = "") -> None:
        if printer is not self._last:
            self.end_line()
            self._last = printer
        printer.show(labelled(message, label))
        if message.msg_type == "stream":
            text = self.line + text_of(content_of(message).get("text"))
            self.line = text.rpartition("\n")[2].rpartition("\r")[2]
        elif message.msg_type not in ("status", "execute_input"):
            self.line = ""


def labelled(message: Message, label: str = "") -> Message:
    """Return a result with its count before its text; any other message as it is."""
    content = content_of(message)
    data = object_of(content.get("data"))
    if message.msg_type != "execute_result" or "text/plain" not in data:
        return message
    text = text_of(data["text/plain"])
    head = click.style(f"{label}Out[{content.get('execution_count')}]:", fg="red")
    # What has several lines is aligned with itself.
    text = f"{head}\n{text}" if "\n" in text else f"{head} {text}"
    changed: JSONDict = {**content, "data": {**data, "text/plain": text}}
    return Message(message.channel, [*message.parts[:3], encode(changed)])
