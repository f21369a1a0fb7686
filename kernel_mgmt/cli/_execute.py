"""Run code in a kernel, show what comes out, and tell how it ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kernel_mgmt.client._lenient import content_of, lines_of, text_of

from ._ask import answer, answer_nothing
from ._terminal import asks_nothing

if TYPE_CHECKING:
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

    from ._outputs import OutputPrinter
    from ._source import Source

__all__ = ("Display", "TextOutputs", "execute", "make_display", "run_source")


async def execute(
    client: KernelClient, source: Source, show: Callable[[Message], None]
) -> JSONDict:
    """Run code, which may ask for lines of stdin unless it has come from there.

    :param show: called with each message of iopub
    :return: the content of the reply
    :raises KernelDiedError: if the kernel dies
    """
    can_ask = sys.stdin is not None and not source.uses_stdin and not asks_nothing()
    reply = await client.execute_interactive(
        source.code,
        allow_stdin=can_ask,
        output_hook=show,
        stdin_hook=answer if can_ask else answer_nothing,
    )
    return content_of(reply)


class Display(Protocol):
    """Shows what a kernel publishes for code."""

    def show(self, message: Message) -> None:
        """Take a message of iopub."""

    def end(self, reply: Mapping[str, object]) -> None:
        """Take the content of the reply; it is empty if there was none."""


async def run_source(client: KernelClient, source: Source, display: Display) -> bool:
    """Run code, and show what comes out.

    :return: whether it has not raised
    :raises KernelDiedError: if the kernel dies
    """
    reply: JSONDict = {}
    try:
        reply = await execute(client, source, display.show)
    finally:
        display.end(reply)
    return not _is_error(reply)


def make_display(form: str, images: Path | None) -> Display:
    """Make what shows outputs.

    :param form: ``text`` or ``json``
    :param images: where images are saved; a new temporary directory when ``None``
    """
    from ._json_outputs import JSONOutputs
    from ._outputs import OutputPrinter

    return JSONOutputs() if form == "json" else TextOutputs(OutputPrinter(images))


class TextOutputs:
    """Prints what a kernel publishes for code, with the errors that it only replies."""

    def __init__(self, printer: OutputPrinter) -> None:
        self._printer = printer
        self._anything = False
        self._exited = False

    def show(self, message: Message) -> None:
        """Print a message of iopub."""
        content = content_of(message)
        if message.msg_type == "error" and _is_good_exit(content):
            self._exited = True
        # IPython goes on to advise how to leave it.
        if self._exited and (message.msg_type == "error" or content.get("name") == "stderr"):
            return
        self._anything |= message.msg_type in ("stream", "display_data", "error")
        self._printer.show(message)

    def end(self, reply: Mapping[str, object]) -> None:
        """Print the error of a reply where nothing was published that would tell of it."""
        if _is_error(reply) and not self._anything:
            named = f"{text_of(reply.get('ename'))}: {text_of(reply.get('evalue'))}"
            traceback = lines_of(reply.get("traceback"))
            self._printer.show_traceback(traceback or [named] * bool(reply.get("ename")))


def _is_error(reply: Mapping[str, object]) -> bool:
    """Whether a reply tells of an error; Python's ``sys.exit(0)`` and ``sys.exit()`` are none."""
    return reply.get("status") != "ok" and not _is_good_exit(reply)


def _is_good_exit(error: Mapping[str, object]) -> bool:
    return error.get("ename") == "SystemExit" and error.get("evalue") in ("", "0", "None")
