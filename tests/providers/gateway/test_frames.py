"""How messages are written to frames and read back, and which have come before."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_mgmt.messages import MessageFactory
from kernel_mgmt.transports._replays import Replays
from kernel_mgmt.transports._websocket_frames import read_binary, read_text, write_json, write_v1
from kernel_mgmt.transports._websocket_outbox import Outbox
from kernel_mgmt.types import Channel
from kernel_mgmt.wire import WireError

CHANNELS: tuple[Channel, ...] = ("shell", "iopub", "stdin", "control")

channels = st.sampled_from(CHANNELS)
buffers = st.lists(st.binary(max_size=300), max_size=300)


def made(msg_type: str = "comm_msg") -> list[bytes]:
    _, parts = MessageFactory("a-session").make(msg_type, {"text": "ü\u2028", "number": 1.5})
    return [bytes(part) for part in parts]


@given(channels, buffers)
def test_what_is_written_in_the_binary_framing_is_read(channel: Channel, more: list[bytes]) -> None:
    parts = [*made(), *more]

    read = read_binary(write_v1(channel, parts))

    assert (read[0], [bytes(part) for part in read[1]]) == (channel, parts)


@given(channels, buffers)
def test_what_is_written_in_json_is_read(channel: Channel, more: list[bytes]) -> None:
    parts = [*made(), *more]

    is_text, data = write_json(channel, parts)
    read = (read_text if is_text else read_binary)(data)

    assert is_text == (not more)
    assert (read[0], [bytes(part) for part in read[1]]) == (channel, parts)


def test_json_is_what_servers_expect() -> None:
    _, data = write_json("shell", made())

    document = json.loads(data)
    assert set(document) == {
        *("header", "parent_header", "metadata", "content"),
        *("channel", "buffers"),
    }
    assert document["channel"] == "shell"
    assert document["buffers"] == []


@pytest.mark.parametrize("count", [0, 1, 249, 250, 251, 255, 256, 65_530, 65_536])
def test_each_framing_is_told_by_its_offsets_whatever_the_number_of_buffers(count: int) -> None:
    parts = [*made(), *[b"x"] * count]

    in_v1 = read_binary(write_v1("iopub", parts))
    is_text, data = write_json("iopub", parts)
    in_json = (read_text if is_text else read_binary)(data)

    assert len(in_v1[1]) == len(in_json[1]) == 4 + count


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for read in (read_binary, read_text):
        with suppress(WireError):
            read(data)


@given(channels, st.integers(0, 2000), st.binary(max_size=8))
def test_no_frame_that_is_damaged_breaks_the_reader(
    channel: Channel, place: int, damage: bytes
) -> None:
    whole = bytearray(write_v1(channel, [*made(), b"buffer"]))
    whole[place : place + len(damage)] = damage
    with suppress(WireError):
        read_binary(whole)


def parts_with(msg_id: str) -> list[bytes]:
    return [json.dumps({"msg_id": msg_id}).encode(), b"{}", b"{}", b"{}"]


def test_a_message_is_new_once_on_each_channel() -> None:
    replays = Replays()

    assert replays.is_new("iopub", parts_with("busy"))
    assert replays.is_new("iopub", parts_with("idle"))
    assert replays.is_new("shell", parts_with("busy"))
    assert not replays.is_new("iopub", parts_with("busy"))
    assert not replays.is_new("shell", parts_with("busy"))


@pytest.mark.parametrize("header", [b"{}", b"null", b"no json", b'{"msg_id": 1}', b"\xff"])
def test_a_message_without_an_id_is_always_new(header: bytes) -> None:
    replays = Replays()

    assert [replays.is_new("iopub", [header]) for _ in range(2)] == [True, True]


def test_only_so_many_messages_are_remembered() -> None:
    replays = Replays(remembered=3)
    for number in range(4):
        replays.is_new("iopub", parts_with(f"id {number}"))

    assert not replays.is_new("iopub", parts_with("id 1"))
    assert replays.is_new("iopub", parts_with("id 0"))


def test_what_was_confirmed_is_in_no_doubt() -> None:
    outbox = Outbox()
    for _ in range(3):
        outbox.put("shell", made())
        outbox.take()
    outbox.confirm(2)
    outbox.doubt()

    assert len(outbox.doubtful) == 1


def test_nothing_is_sent_while_something_is_in_doubt_and_then_in_order() -> None:
    outbox = Outbox()
    first, second = made("complete_request"), made("execute_request")
    outbox.put("shell", first)
    outbox.take()
    outbox.doubt()
    outbox.put("shell", second)
    before = outbox.take()
    lost = outbox.settle()
    after = [outbox.take(), outbox.take(), outbox.take()]

    assert before is None
    assert lost == []
    assert [each and each.parts for each in after] == [first, second, None]


def test_what_breaks_the_connection_again_is_not_sent_a_third_time() -> None:
    outbox = Outbox()
    outbox.put("shell", made("complete_request"))
    lost: list[int] = []
    for _ in range(2):
        outbox.take()
        outbox.doubt()
        lost.append(len(outbox.settle()))

    assert lost == [0, 1]
    assert outbox.take() is None


def test_what_is_no_message_is_not_sent_again() -> None:
    outbox = Outbox()
    outbox.put("shell", [b"no", b"message"])
    outbox.take()
    outbox.doubt()

    assert len(outbox.settle()) == 1
