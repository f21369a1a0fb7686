"""What is no message, or is no good one, is dropped and counted, and hurts nobody."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from kernel_mgmt import KernelClient, Message
from kernel_mgmt.abc import TransportABC
from kernel_mgmt.client._connection import Connection
from kernel_mgmt.client._exchange import Exchange
from kernel_mgmt.client._outputs import OutputFolder
from kernel_mgmt.messages import MessageFactory, encode
from kernel_mgmt.types import Channel
from kernel_mgmt.wire import DELIMITER, Signer

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, Received

KEY = b"secret"
PARENT = {"msg_id": "1"}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
types = st.sampled_from(
    [
        *("status", "stream", "display_data", "execute_result", "update_display_data", "error"),
        *("clear_output", "execute_reply", "kernel_info_reply", "input_request", "pyout", "pyerr"),
        *("complete_reply", "object_info_reply"),
    ]
)
fields = st.sampled_from(
    [
        *("execution_state", "name", "text", "data", "metadata", "transient", "display_id", "wait"),
        *("ename", "evalue", "traceback", "protocol_version", "status", "matched_text", "found"),
        *("language", "language_version", "ipython_version", "execution_count"),
    ]
)
contents = values | st.dictionaries(fields, values | st.dictionaries(fields, values))
channels: st.SearchStrategy[Channel] = st.sampled_from(["shell", "iopub", "stdin", "control"])


class Silent(TransportABC):
    """A transport that a test lets messages come through."""

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self.received = received

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None: ...

    def close(self) -> None: ...


async def connected(transport: Silent) -> tuple[Connection, Exchange]:
    """A connection on which one request is pending."""
    connection = Connection(transport, None, output_limit=1_000_000_000)
    exchange = Exchange("1", connection.backlog, until_idle=True)
    connection.send(exchange, "shell", [])
    return connection, exchange


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@given(st.lists(st.tuples(channels, st.lists(st.binary(), max_size=6)), max_size=5))
def test_no_parts_do_more_than_be_counted(
    backend: str, received: list[tuple[Channel, list[bytes]]]
) -> None:
    async def main() -> None:
        transport = Silent()
        connection, exchange = await connected(transport)
        for channel, parts in received:
            transport.received(channel, parts)

        assert connection.received == len(received)
        assert exchange.reply is None

    anyio.run(main, backend=backend)


@given(st.lists(st.tuples(channels, types, contents), max_size=6))
def test_no_contents_break_a_connection_or_the_outputs(
    received: list[tuple[Channel, str, Any]],
) -> None:
    async def main() -> None:
        transport = Silent()
        _, exchange = await connected(transport)
        for channel, msg_type, content in received:
            header = encode({"msg_id": "2", "msg_type": msg_type})
            transport.received(channel, [header, encode(PARENT), b"{}", encode(content)])
        folder = OutputFolder()
        while (message := exchange.next_published()) is not None:
            folder.add(message)

        assert json.loads(json.dumps(folder.outputs)) is not None

    anyio.run(main)


# What a kernel with the right key may send all the same

GOOD = MessageFactory("kernel").make("stream", {"name": "stdout", "text": "good"})[1]
SIGNER = Signer(KEY)
BAD: dict[str, list[list[Buffer]]] = {
    "nothing": [[b""], [b"", b""]],
    "no delimiter": [[b"x"] * 6] * 2,
    "too few frames": [[DELIMITER, b""], [DELIMITER, b"", *GOOD[:3]]],
    "a wrong signature": [[DELIMITER, b"0" * 64, *GOOD]] * 2,
    "no signature": [[DELIMITER, b"", *GOOD]] * 2,
    "another key": [Signer(b"other").frames(GOOD)] * 2,
    "a header that is no JSON": [SIGNER.frames([part, *GOOD[1:]]) for part in (b"{", b"")],
    "a header that is no object": [SIGNER.frames([part, *GOOD[1:]]) for part in (b"[]", b"null")],
    "an id that is no text": [SIGNER.frames([b'{"msg_id": 7}', *GOOD[1:]])],
    "a parent that is no object": [
        SIGNER.frames([GOOD[0], part, *GOOD[2:]]) for part in (b"7", b"[]")
    ],
    "bytes that are no text": [SIGNER.frames([b'"\xff"', *GOOD[1:]])],
}


@pytest.mark.anyio
@pytest.mark.parametrize("name", BAD)
async def test_what_is_no_good_is_dropped_with_a_line_in_the_log_and_what_follows_arrives(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sent = [[b"topic", *frames] for frames in (*BAD[name], good("good"))]

    with caplog.at_level(logging.WARNING):
        seen, dropped = await received(sent, "good", tmp_path)

    assert seen == ["good"]
    assert dropped == len(BAD[name])
    assert len([record for record in caplog.records if "dropped" in record.message]) == 1


WHOLE: list[Buffer] = [b"topic", *SIGNER.frames(GOOD)]
STRAY: list[Buffer] = [b"x"] * 8
CUT = [
    *(WHOLE[:count] for count in range(1, len(WHOLE))),
    *(WHOLE[1:count] for count in range(2, len(WHOLE))),
    *(STRAY[:count] for count in range(1, len(STRAY))),
]


@pytest.mark.anyio
@pytest.mark.parametrize("cut", CUT, ids=lambda cut: f"{len(cut)} from {cut[0][:5]!r}")
async def test_what_is_cut_short_is_counted_and_costs_no_other_message(
    cut: list[Buffer], tmp_path: Path
) -> None:
    buffers = [b"", b"buffer"]
    sent = [cut, [b"topic", *good("1")], cut, [b"topic", *good("2"), *buffers], cut, good("end")]

    seen, dropped = await received(sent, "end", tmp_path)

    assert seen == ["1", "2", "end"]
    assert dropped == 3


@pytest.mark.anyio
async def test_nothing_that_is_cut_short_costs_another_message(tmp_path: Path) -> None:
    pairs = list(product(CUT, repeat=2))
    texts = [str(number) for number in range(len(pairs))]
    sent: list[list[Buffer]] = []
    for pair, text in zip(pairs, texts, strict=True):
        sent += [*pair, [b"topic", *good(text)]]

    seen, dropped = await received(sent, texts[-1], tmp_path)

    assert seen == texts
    assert dropped >= len(pairs)


def good(text: str) -> list[Buffer]:
    content = {"name": "stdout", "text": text}
    return SIGNER.frames(MessageFactory("kernel").make("stream", content)[1])


async def received(
    sent: Sequence[Sequence[Buffer]], last: str, directory: Path
) -> tuple[list[str], int]:
    """Publish frames; return the texts that came out of them up to the last, and what did not."""
    address = str(directory / "k")
    ports = {"shell_port": 1, "stdin_port": 2, "control_port": 3, "iopub_port": 4}
    info: Any = {"transport": "ipc", "ip": address, "key": KEY.decode(), **ports}
    arrived = anyio.Event()
    seen: list[str] = []

    def note(message: Message) -> None:
        seen.append(message.content["text"])
        if seen[-1] == last:
            arrived.set()

    with zmq.Context() as context, context.socket(zmq.XPUB) as iopub:
        iopub.linger = 0
        iopub.bind(f"ipc://{address}-4")
        async with KernelClient(info) as client:
            client.add_handler(note)
            client.kernel_info()
            await anyio.to_thread.run_sync(iopub.recv)
            for frames in sent:
                iopub.send_multipart(frames)
            with anyio.fail_after(30):
                await arrived.wait()
            return seen, client.dropped
