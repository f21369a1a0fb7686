"""What layers above the client use: connecting ahead, messages made elsewhere, changes."""

from __future__ import annotations

import anyio
import pytest

from kernel_mgmt import ClientClosedError, KernelClient, KernelDiedError, Message
from kernel_mgmt.messages import MessageFactory

from .conftest import StartFake

pytestmark = pytest.mark.anyio


async def test_a_client_that_connects_ahead_sees_what_others_cause(start_fake: StartFake) -> None:
    owner = await start_fake()
    seen: list[Message] = []
    arrived = anyio.Event()

    def note(message: Message) -> None:
        seen.append(message)
        arrived.set()

    async with KernelClient(owner.connection_info) as client:
        client.add_handler(note)
        client.connect()
        with anyio.fail_after(30):
            while not arrived.is_set():
                await owner.execute("print a")

    assert {message.channel for message in seen} == {"iopub"}


async def test_a_message_made_elsewhere_is_sent_as_it_is(start_fake: StartFake) -> None:
    client = await start_fake()
    msg_id, parts = MessageFactory("elsewhere").make("kernel_info_request", {})
    replies: list[Message] = []
    replied = anyio.Event()

    def note(message: Message) -> None:
        replies.append(message)
        replied.set()

    client.add_handler(note, "shell")
    client.send("shell", parts)
    with anyio.fail_after(30):
        await replied.wait()

    assert [(reply.msg_type, reply.parent_id) for reply in replies] == [
        ("kernel_info_reply", msg_id)
    ]


async def test_the_reply_alone_is_there_without_idle(start_fake: StartFake) -> None:
    client = await start_fake("--never-idle")

    with anyio.fail_after(30):
        reply = await client.execute("print a", idle_timeout=60).reply()

    assert reply.content["status"] == "ok"


async def test_the_reply_alone_fails_with_the_kernel(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30), pytest.raises(KernelDiedError):
        await client.execute("kill").reply()


async def test_the_death_of_the_kernel_is_told_to_those_who_ask(start_fake: StartFake) -> None:
    client = await start_fake()
    died = anyio.Event()

    def fail() -> None:
        raise ZeroDivisionError

    client.add_change_handler(fail)
    client.add_change_handler(died.set)
    before = client.failure
    client.execute("kill")
    with anyio.fail_after(30):
        await died.wait()

    assert before is None
    assert isinstance(client.failure, KernelDiedError)


async def test_going_over_to_another_kernel_is_told(start_fake: StartFake) -> None:
    client, successor = await start_fake(), await start_fake()
    told: list[Exception | None] = []
    with pytest.raises(KernelDiedError):
        await client.execute("kill")
    client.add_change_handler(lambda: told.append(client.failure))

    client.reconnect(successor.connection_info, successor.manager)

    assert told == [None]


async def test_closing_is_told(start_fake: StartFake) -> None:
    client = await start_fake()
    ended: list[Exception | None] = []
    client.add_change_handler(lambda: ended.append(client.failure))

    client.close()

    assert [type(failure) for failure in ended] == [ClientClosedError]
