from __future__ import annotations

import json
import math

import pytest

from kernel_mgmt.messages import Message, MessageFactory, decode, encode


def received(header: str = "{}", parent: str = "{}", content: str = "{}") -> Message:
    return Message("iopub", [header.encode(), parent.encode(), b"{}", content.encode()])


def test_the_shortcuts_are_read_from_the_headers() -> None:
    message = received('{"msg_id": "a", "msg_type": "status"}', '{"msg_id": "b"}')

    assert (message.msg_id, message.msg_type, message.parent_id) == ("a", "status", "b")


@pytest.mark.parametrize("parent", ["{}", "null"])
def test_a_message_without_a_parent_has_an_empty_parent_header(parent: str) -> None:
    message = received(parent=parent)

    assert message.parent_header == {}
    assert message.parent_id == ""


@pytest.mark.parametrize("header", ["", "[]", "null", "{", '{"msg_id": 7}', "\xff"])
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="Expect"):
        Message("shell", [header.encode("latin-1"), b"{}", b"{}", b"{}"])


@pytest.mark.parametrize("oddity", ["NaN", '"\\udc80"', "-Infinity"])
def test_headers_may_hold_what_json_lacks(oddity: str) -> None:
    header = f'{{"msg_id": "a", "msg_type": "status", "username": {oddity}}}'
    message = received(header, header)

    assert (message.msg_id, message.msg_type, message.parent_id) == ("a", "status", "a")


@pytest.mark.parametrize("place", ["header", "parent", "content"])
def test_a_part_that_is_nested_too_deeply_is_refused(place: str) -> None:
    nested = '{"a":' * 100_000 + "1" + "}" * 100_000

    with pytest.raises(ValueError, match="too deeply"):
        _ = received(**{place: nested}).content


def test_too_few_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 4 parts, not 3"):
        Message("shell", [b"{}", b"{}", b"{}"])


def test_content_that_is_not_json_is_refused_when_it_is_looked_at() -> None:
    message = received(content="{")

    with pytest.raises(json.JSONDecodeError):
        _ = message.content


def test_content_that_is_no_object_is_refused_when_it_is_looked_at() -> None:
    message = received(content="[1]")

    with pytest.raises(ValueError, match="no object"):
        _ = message.content


def test_content_may_hold_what_json_lacks() -> None:
    message = received(content='{"a": NaN, "b": -Infinity, "c": "\\ud800"}')

    assert math.isnan(message.content["a"])
    assert message.content["b"] == -math.inf
    assert message.content["c"] == "\ud800"


def test_not_a_number_is_never_sent_as_null() -> None:
    encoded = encode({"a": math.nan, "b": math.inf, "c": None})

    assert encoded == b'{"a": NaN, "b": Infinity, "c": null}'


def test_a_lone_surrogate_can_be_sent() -> None:
    assert decode(encode({"a": "\ud800"})) == {"a": "\ud800"}


def test_what_has_no_form_in_json_is_refused() -> None:
    with pytest.raises(TypeError):
        encode({"a": object()})


def test_buffers_share_the_memory_they_came_in() -> None:
    memory = bytearray(b"1234")
    message = Message("iopub", [b"{}", b"{}", b"{}", b"{}", memoryview(memory)])

    memory[0] = ord("x")

    assert message.buffers[0].tobytes() == b"x234"


@pytest.mark.parametrize(
    ("msg_type", "content", "state"),
    [
        ("status", '{"execution_state": "idle"}', "idle"),
        ("status", "[]", ""),
        ("status", '{"execution_state": "idle", "load": NaN}', "idle"),
        ("status", '{"execution_state": ' + '{"a":' * 100_000, ""),
        ("stream", '{"execution_state": "idle"}', ""),
    ],
)
def test_the_execution_state_is_that_of_a_status(msg_type: str, content: str, state: str) -> None:
    message = received(json.dumps({"msg_type": msg_type}), content=content)

    assert message.execution_state == state


def test_a_made_message_has_the_header_of_the_specification() -> None:
    msg_id, parts = MessageFactory(session="s", username="u").make("kernel_info_request", {})
    header = decode(parts[0])

    assert header.pop("date").endswith("+00:00")
    assert header == {
        "msg_id": msg_id,
        "msg_type": "kernel_info_request",
        "username": "u",
        "session": "s",
        "version": "5.5",
    }


def test_ids_do_not_repeat() -> None:
    factory = MessageFactory()

    assert len({factory.make("execute_request", {})[0] for _ in range(100)}) == 100


def test_a_buffer_with_gaps_is_copied_into_one_piece() -> None:
    whole = b"abcdef"

    _, parts = MessageFactory().make("comm_msg", {}, buffers=[whole, memoryview(whole)[::2]])

    assert parts[4] is whole
    assert parts[5] == b"ace"


def test_metadata_parent_and_buffers_travel_along() -> None:
    _, parts = MessageFactory().make(
        "comm_msg",
        {"data": {}},
        parent_header={"msg_id": "p"},
        metadata={"m": 1},
        header={"subshell_id": "x"},
        buffers=[b"raw"],
    )
    message = Message("shell", parts)

    assert message.parent_id == "p"
    assert message.metadata == {"m": 1}
    assert message.header["subshell_id"] == "x"
    assert parts[4] == b"raw"
