from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import anyio
import pytest

from kernel_mgmt.abc import TransportABC
from kernel_mgmt.client._connection import Connection
from kernel_mgmt.client._exchange import Exchange
from kernel_mgmt.client._protocol4 import Protocol4, speaks_protocol_4
from kernel_mgmt.messages import Message, MessageFactory
from kernel_mgmt.types import Channel

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, Received


def message(
    msg_type: str,
    content: Mapping[str, object],
    channel: Channel = "shell",
    parent_id: str = "",
) -> Message:
    parent = {"msg_id": parent_id} if parent_id else None
    return Message(channel, MessageFactory().make(msg_type, content, parent_header=parent)[1])


INFO = {
    "protocol_version": [4, 1],
    "language": "python",
    "language_version": [2, 7, 6],
    "ipython_version": [2, 4, 1, ""],
}


@pytest.mark.parametrize(
    ("version", "speaks"),
    [([4, 1], True), ("4.1", True), ("5.3", False), ([5, 0], False), ("", False), (None, False)],
)
def test_version_4_is_told_from_what_the_kernel_says(version: object, speaks: bool) -> None:
    reply = message("kernel_info_reply", {"protocol_version": version})

    assert speaks_protocol_4(reply) is speaks


def test_what_the_kernel_is_has_the_shape_of_version_5() -> None:
    content = Protocol4().received(message("kernel_info_reply", INFO)).content

    assert content["language_info"] == {"name": "python", "version": "2.7.6"}
    assert content["protocol_version"] == "4.1"
    assert content["implementation"] == "ipython"
    assert content["status"] == "ok"


@pytest.mark.parametrize(
    ("old", "content", "new", "translated"),
    [
        ("pyin", {"code": "1"}, "execute_input", {"code": "1"}),
        ("pyout", {"data": {}}, "execute_result", {"data": {}}),
        ("pyerr", {"ename": "E"}, "error", {"ename": "E"}),
        ("stream", {"name": "stderr", "data": "a"}, "stream", {"name": "stderr", "text": "a"}),
        ("status", {"execution_state": "idle"}, "status", {"execution_state": "idle"}),
    ],
)
def test_what_is_published_gets_the_names_of_version_5(
    old: str, content: dict[str, object], new: str, translated: dict[str, object]
) -> None:
    received = Protocol4().received(message(old, content, "iopub", "p"))

    assert (received.msg_type, received.content) == (new, translated)
    assert received.parent_id == "p"


def test_a_question_for_input_says_that_it_is_for_no_password() -> None:
    received = Protocol4().received(message("input_request", {"prompt": "a"}, "stdin"))

    assert received.content == {"prompt": "a", "password": False}


def test_completion_is_asked_for_a_line_and_answered_with_cursors() -> None:
    protocol = Protocol4()
    content = {"code": "a = 1\nprint(fo)\nb", "cursor_pos": 14}

    msg_type, request = protocol.request("complete_request", content)
    protocol.sent("p", content)
    answer = {"matches": ["foo"], "matched_text": "fo"}
    reply = protocol.received(message("complete_reply", answer, parent_id="p"))

    assert msg_type == "complete_request"
    assert request == {"text": "", "line": "print(fo)", "block": None, "cursor_pos": 8}
    assert (reply.content["cursor_start"], reply.content["cursor_end"]) == (12, 14)
    assert reply.content["matches"] == ["foo"]


def test_inspection_is_asked_for_a_name_and_answered_as_text() -> None:
    protocol = Protocol4()

    asked = protocol.request("inspect_request", {"code": "x\nos.path + 1", "cursor_pos": 5})
    found = protocol.received(message("object_info_reply", {"found": True, "docstring": "d"}))
    missing = protocol.received(message("object_info_reply", {"found": False}))

    assert asked == ("object_info_request", {"oname": "os.path", "detail_level": 0})
    assert found.msg_type == "inspect_reply"
    assert found.content["data"] == {"text/plain": "docstring: d"}
    assert missing.content["data"] == {}


class OldKernel(TransportABC):
    """A transport with a kernel of version 4 at its other end."""

    def __init__(self) -> None:
        self.asked: list[Message] = []

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self._received = received

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        request = Message(channel, parts)
        self.asked.append(request)
        self._answer("iopub", "status", {"execution_state": "busy"}, request)
        if request.msg_type == "kernel_info_request":
            self._answer("shell", "kernel_info_reply", INFO, request)
        else:
            self._answer("iopub", "pyout", {"data": {"text/plain": "42"}}, request)
            self._answer("shell", "execute_reply", {"status": "ok"}, request)
        self._answer("iopub", "status", {"execution_state": "idle"}, request)

    def close(self) -> None: ...

    def _answer(
        self, channel: Channel, msg_type: str, content: Mapping[str, object], request: Message
    ) -> None:
        parts = MessageFactory().make(msg_type, content, parent_header=request.header)[1]
        self._received(channel, parts)


@pytest.mark.anyio
async def test_a_connection_adapts_as_soon_as_the_kernel_tells_its_version() -> None:
    connection = Connection(OldKernel(), None, output_limit=1_000_000)
    info, execution = (Exchange(msg_id, connection.backlog) for msg_id in ("1", "2"))
    header = {"username": "", "session": "", "date": "", "version": "5.5"}

    for exchange, msg_type in ((info, "kernel_info_request"), (execution, "execute_request")):
        parts = MessageFactory().make(msg_type, {}, header={**header, "msg_id": exchange.msg_id})[1]
        connection.send(exchange, "shell", parts)
    await anyio.lowlevel.checkpoint()
    published = [execution.next_published() for _ in range(3)]

    assert info.reply is not None
    assert info.reply.content["language_info"]["name"] == "python"
    assert [item.msg_type for item in published if item] == ["status", "execute_result", "status"]
