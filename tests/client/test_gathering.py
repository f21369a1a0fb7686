"""Floods of output gather for some milliseconds, and nothing else waits for that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import anyio
import pytest

from kernel_mgmt import BlockingKernelClient, KernelClient, Message
from kernel_mgmt.abc import TransportABC
from kernel_mgmt.client._connection import Connection
from kernel_mgmt.client._exchange import Exchange
from kernel_mgmt.messages import MessageFactory
from kernel_mgmt.transports import zmq
from kernel_mgmt.types import Channel

from .conftest import StartFake

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, Received

pytestmark = pytest.mark.anyio


class Noting(TransportABC):
    """A transport that notes whether it may let a flood gather."""

    gathers = False

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self._received = received

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None: ...

    def gather(self, gathers: bool) -> None:
        self.gathers = gathers

    def close(self) -> None: ...

    def reply(self, exchange: Exchange) -> bool:
        return self._receive("shell", "execute_reply", exchange, "")

    def status(self, exchange: Exchange, state: str) -> bool:
        return self._receive("iopub", "status", exchange, state)

    def _receive(self, channel: Channel, msg_type: str, exchange: Exchange, state: str) -> bool:
        """Whether a flood may gather after this."""
        parent = {"msg_id": exchange.msg_id}
        content = {"execution_state": state}
        parts = MessageFactory().make(msg_type, content, parent_header=parent)[1]
        self._received(channel, parts)
        return self.gathers


def ask(connection: Connection, msg_id: str) -> Exchange:
    exchange = Exchange(msg_id, connection.backlog, until_idle=True)
    connection.send(exchange, "shell", [])
    return exchange


async def test_a_flood_gathers_until_a_reply_comes_and_not_before_something_is_asked() -> None:
    transport = Noting()
    connection = Connection(transport, None, output_limit=1_000_000)

    before = transport.gathers
    exchange = ask(connection, "1")
    asked = transport.gathers
    busy = transport.status(exchange, "busy")
    replied = transport.reply(exchange)
    idle = transport.status(exchange, "idle")

    assert (before, asked, busy, replied, idle) == (False, True, True, False, False)


async def test_a_flood_gathers_again_while_another_request_is_not_answered() -> None:
    transport = Noting()
    connection = Connection(transport, None, output_limit=1_000_000)
    first, second = ask(connection, "1"), ask(connection, "2")

    replied = transport.reply(first)
    first_idle = transport.status(first, "idle")
    second_idle = transport.status(second, "idle")
    second_replied = transport.reply(second)

    assert (replied, first_idle, second_idle, second_replied) == (False, True, True, False)


async def test_what_is_forgotten_holds_nothing_up() -> None:
    transport = Noting()
    connection = Connection(transport, None, output_limit=1_000_000)
    first, second = ask(connection, "1"), ask(connection, "2")

    replied = transport.reply(first)
    connection.forget(first)
    forgotten = transport.gathers
    connection.forget(second)

    assert (replied, forgotten, transport.gathers) == (False, True, False)


async def test_no_request_waits_for_what_gathers(
    start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmq, "_GATHER", 3600.0)
    owner = await start_fake()
    texts: list[str] = []

    async def ask(client: KernelClient, number: int) -> None:
        (output,) = await client.execute(f"stream stdout {number}\nstream stdout .").outputs()
        texts.append(output["text"])

    async with KernelClient(owner.connection_info) as client:
        with anyio.fail_after(30):
            await client.wait_for_ready()
            for number in range(3):
                await ask(client, number)
            async with anyio.create_task_group() as tasks:
                for number in range(3, 50):
                    tasks.start_soon(ask, client, number)

    assert sorted(texts) == sorted(f"{number}." for number in range(50))


async def test_what_was_printed_before_a_question_is_seen_before_it(
    start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmq, "_GATHER", 3600.0)
    client = await start_fake()
    seen: list[str] = []

    def show(message: Message) -> None:
        if message.msg_type == "stream":
            seen.append(message.content["text"])

    def answer(message: Message) -> str:
        seen.append(message.content["prompt"])
        return "me"

    code = "print a\nprint b\nsleep 0.05\ninput name\nprint c"
    with anyio.fail_after(30):
        await client.execute_interactive(code, output_hook=show, stdin_hook=answer)
    with BlockingKernelClient(client.connection_info) as blocking:
        blocking.wait_for_ready(30)
        blocking.execute_interactive(code, output_hook=show, stdin_hook=answer, timeout=30)

    assert seen == ["a\n", "b\n", "name", "c\n"] * 2


async def test_a_flood_before_a_question_is_seen_before_it(
    start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zmq, "_GATHER", 3600.0)
    client = await start_fake()

    request = client.execute("flood 1000 20\nsleep 0.05\ninput name", allow_stdin=True)
    types: list[str] = []
    with anyio.fail_after(30):
        async for message in request.with_stdin():
            types.append(message.msg_type)
            if message.channel == "stdin":
                client.input("me", message)

    assert types.index("input_request") > 1000


async def test_who_awaits_a_request_is_woken_by_its_reply_and_its_idle_only() -> None:
    transport = Noting()
    connection = Connection(transport, None, output_limit=1_000_000)
    exchange = ask(connection, "1")
    woken: list[str] = []
    exchange.waiters.append(lambda: woken.append("waiter"))
    exchange.readers.append(lambda: woken.append("reader"))

    for _ in range(3):
        transport.status(exchange, "busy")
    transport.reply(exchange)
    transport.status(exchange, "idle")

    assert (woken.count("waiter"), woken.count("reader")) == (2, 5)
