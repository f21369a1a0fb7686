"""The command language that the fake kernel executes: one command a line.

======================= =====================================================================
``print TEXT``          writes TEXT and a line end to the stream stdout
``stream NAME TEXT``    writes TEXT to the stream NAME, as it is
``result TEXT``         has TEXT for its result
``display N SIZE``      displays N times SIZE characters
``flood N SIZE``        writes N stream messages of SIZE characters
``buffers N SIZE``      displays N messages that each have a binary buffer of SIZE bytes
``publish TYPE JSON``   publishes a message of any type on iopub
``orphan TEXT``         writes TEXT to the stream stdout, under no parent
``fd NUMBER TEXT``      writes TEXT and a line end to a file descriptor of the process
``sleep S``             is busy for S seconds, and can be interrupted
``spin S``              is busy for S seconds, and does nothing else, as native code may be
``input PROMPT``        asks for a line of input, which is the result
``password PROMPT``     asks for a password, which is the result
``raise NAME TEXT``     fails with the error NAME
``exit N``              ends the process with the exit code N, without a reply
``kill``                ends the process with SIGKILL
``environ NAME``        has the environment variable for its result
``argv``                has the arguments of the process, in JSON, for its result
``cwd``                 has the working directory for its result
``pid``                 has the process id for its result
``children``            has the process ids of the children, in JSON, for its result
======================= =====================================================================
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from ._fake_sockets import Received
    from .fake_kernel import FakeKernel


class Exit(Exception):
    """The process is to end."""

    def __init__(self, code: int) -> None:
        self.code = code


class Interrupted(Exception):
    """What is executed has been interrupted."""


class CommandError(Exception):
    """A command has failed."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text


class Execution(NamedTuple):
    """What a command runs for, and with."""

    kernel: FakeKernel
    request: Received

    def publish(
        self, msg_type: str, content: Mapping[str, Any], buffers: Sequence[bytes] = ()
    ) -> None:
        self.kernel.publish(msg_type, content, self.request.raw_header, buffers)

    def result(self, text: str) -> None:
        count = len(self.kernel.history)
        data = {"text/plain": text}
        content = {"execution_count": count, "data": data, "metadata": {}}
        self.publish("execute_result", content)


def run_command(execution: Execution, line: str) -> None:
    """Run one line of code.

    :raises CommandError: if it fails, or is no command
    :raises Exit: if it ends the process
    :raises Interrupted: if it is interrupted
    """
    name, _, argument = line.partition(" ")
    try:
        command = COMMANDS[name]
    except KeyError:
        raise CommandError("SyntaxError", f"no command {name!r}") from None
    try:
        command(execution, argument)
    except ValueError as error:
        raise CommandError("ValueError", f"{name}: {error}") from error


def _print(execution: Execution, text: str) -> None:
    execution.publish("stream", {"name": "stdout", "text": f"{text}\n"})


def _stream(execution: Execution, argument: str) -> None:
    name, _, text = argument.partition(" ")
    execution.publish("stream", {"name": name, "text": text})


def _display(execution: Execution, argument: str) -> None:
    number, size = _two_numbers(argument)
    content = {"data": {"text/plain": "x" * size}, "metadata": {}, "transient": {}}
    _publish_times(execution, number, "display_data", content)


def _flood(execution: Execution, argument: str) -> None:
    number, size = _two_numbers(argument)
    _publish_times(execution, number, "stream", {"name": "stdout", "text": "x" * size})


def _buffers(execution: Execution, argument: str) -> None:
    number, size = _two_numbers(argument)
    content = {"data": {"text/plain": f"{size} bytes"}, "metadata": {}, "transient": {}}
    _publish_times(execution, number, "display_data", content, [bytes(size)])


def _publish(execution: Execution, argument: str) -> None:
    msg_type, _, content = argument.partition(" ")
    execution.publish(msg_type, json.loads(content))


def _orphan(execution: Execution, text: str) -> None:
    execution.kernel.publish("stream", {"name": "stdout", "text": text})


def _fd(_execution: Execution, argument: str) -> None:
    number, _, text = argument.partition(" ")
    os.write(int(number), f"{text}\n".encode())


def _sleep(execution: Execution, seconds: str) -> None:
    execution.kernel.sleep(float(seconds))


def _spin(execution: Execution, seconds: str) -> None:
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        pass
    execution.kernel.sleep(0)


def _input(execution: Execution, prompt: str) -> None:
    execution.result(_ask(execution, prompt, password=False))


def _password(execution: Execution, prompt: str) -> None:
    execution.result(_ask(execution, prompt, password=True))


def _ask(execution: Execution, prompt: str, *, password: bool) -> str:
    if not execution.request.content.get("allow_stdin", False):
        raise CommandError("StdinNotImplementedError", "the client cannot be asked for input")
    return execution.kernel.ask(execution.request, prompt, password=password)


def _raise(_execution: Execution, argument: str) -> NoReturn:
    name, _, text = argument.partition(" ")
    raise CommandError(name, text)


def _exit(_execution: Execution, code: str) -> NoReturn:
    raise Exit(int(code))


def _kill(_execution: Execution, _argument: str) -> None:
    # Windows has no SIGKILL; SIGTERM is as merciless there.
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def _environ(execution: Execution, name: str) -> None:
    execution.result(os.environ.get(name, ""))


def _children(execution: Execution, _: str) -> None:
    execution.result(json.dumps(execution.kernel.children))


def _two_numbers(argument: str) -> tuple[int, int]:
    number, size = argument.split()
    return int(number), int(size)


def _publish_times(
    execution: Execution,
    number: int,
    msg_type: str,
    content: Mapping[str, Any],
    buffers: Sequence[bytes] = (),
) -> None:
    for sent in range(number):
        if not sent % 100:
            execution.kernel.sleep(0)
        execution.publish(msg_type, content, buffers)


COMMANDS: Mapping[str, Callable[[Execution, str], None]] = {
    "argv": lambda execution, _: execution.result(json.dumps(sys.argv)),
    "buffers": _buffers,
    "children": _children,
    "cwd": lambda execution, _: execution.result(os.getcwd()),
    "display": _display,
    "environ": _environ,
    "exit": _exit,
    "fd": _fd,
    "flood": _flood,
    "input": _input,
    "kill": _kill,
    "orphan": _orphan,
    "password": _password,
    "pid": lambda execution, _: execution.result(str(os.getpid())),
    "print": _print,
    "publish": _publish,
    "raise": _raise,
    "result": lambda execution, text: execution.result(text),
    "sleep": _sleep,
    "spin": _spin,
    "stream": _stream,
}
