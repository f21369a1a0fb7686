"""Run code as at a terminal: output is shown as it comes, and input is asked for."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from getpass import getpass
from inspect import isawaitable
from typing import TYPE_CHECKING, TextIO, TypeAlias, cast

import anyio
from anyio import to_thread

from ._lenient import content_of, lines_of, object_of, text_of

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

    from ._client import KernelClient
    from ._request import Request

__all__ = (
    "OutputHook",
    "StdinHook",
    "ask",
    "ask_at_terminal",
    "interact",
    "print_output",
    "write_text",
)

OutputHook: TypeAlias = Callable[["Message"], object]
StdinHook: TypeAlias = Callable[["Message"], "str | Awaitable[str | None] | None"]

# What a terminal sends for the end of a file.
_END_OF_FILE = "\x04"


def print_output(message: Message) -> None:
    """Print what a message shows: text to stdout, errors and the stream stderr to stderr."""
    content = content_of(message)
    match message.msg_type:
        case "stream":
            stream = sys.stderr if content.get("name") == "stderr" else sys.stdout
            write_text(text_of(content.get("text")), stream)
        case "display_data" | "execute_result":
            text = text_of(object_of(content.get("data")).get("text/plain"))
            write_text(f"{text}\n", sys.stdout)
        case "error":
            lines = lines_of(content.get("traceback"))
            write_text("\n".join(lines) + "\n", sys.stderr)
        case _:
            pass


def write_text(text: str, stream: TextIO) -> None:
    """Write to a terminal what its encoding may not have."""
    try:
        stream.write(text)
    except UnicodeEncodeError:  # what the terminal does not have, or a lone surrogate
        stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding))
    stream.flush()


def ask(message: Message) -> str:
    """Ask at the terminal what the kernel wants to know."""
    return ask_at_terminal(content_of(message))


def ask_at_terminal(content: Mapping[str, object]) -> str:
    """Ask at the terminal what an ``input_request`` with this content wants to know."""
    prompt = text_of(content.get("prompt"))
    try:
        return getpass(prompt) if content.get("password") else input(prompt)
    except EOFError:
        return _END_OF_FILE


async def interact(
    client: KernelClient,
    request: Request,
    output_hook: OutputHook | None,
    stdin_hook: StdinHook | None,
) -> Message:
    """Show what a request publishes, answer what it asks, and return the reply."""
    output_hook = print_output if output_hook is None else output_hook

    async def answer(message: Message) -> None:
        value: str | None
        if stdin_hook is None:
            value = await to_thread.run_sync(ask, message, abandon_on_cancel=True)
        else:
            told = stdin_hook(message)
            value = await told if isawaitable(told) else told
        if value is not None:
            client.input(value, message)

    async def show(message: Message) -> None:
        shown = output_hook(message)
        if isawaitable(shown):
            await shown

    reply: Message | None = None
    with _one_exception():
        async with anyio.create_task_group() as tasks:
            async for message in request.with_stdin():
                if message.channel == "stdin":
                    tasks.start_soon(answer, message)
                else:
                    await show(message)
            reply = await request
            # Nobody waits any more for what may still be asked.
            tasks.cancel_scope.cancel()
    assert reply is not None
    return reply


@contextmanager
def _one_exception() -> Generator[None]:
    """Raise what went wrong first, in place of the group that a task group makes of it."""
    try:
        yield
    except BaseExceptionGroup as group:
        first = cast("BaseException", group.exceptions[0])
        raise first from first.__cause__
