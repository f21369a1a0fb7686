"""What a client keeps, how long it waits, and how it goes over to another kernel."""

from __future__ import annotations

import gc
from contextlib import suppress
from signal import SIGKILL

import anyio
import pytest
from anyio import to_thread

from kernel_mgmt import (
    BlockingKernelClient,
    ClientClosedError,
    KernelClient,
    KernelDiedError,
    Message,
    OutputOverflowError,
)
from kernel_mgmt.client._exchange import Exchange

from .conftest import StartFake

pytestmark = pytest.mark.anyio


async def settled(client: KernelClient) -> None:
    """Wait until what the client has asked is answered."""
    await client.execute("result 1", collect=False)


async def test_nothing_is_lost_while_the_consumer_sleeps(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("flood 20000 20")

    with anyio.fail_after(60):
        await settled(client)
        streams = [message async for message in request if message.msg_type == "stream"]

    assert len(streams) == 20_000


async def test_nothing_is_lost_while_the_event_loop_is_held(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("flood 10000 2000")

    # This holds the loop of the client until the kernel has written everything.
    with BlockingKernelClient(client.connection_info) as other:
        other.execute("result 1", timeout=60)
    with anyio.fail_after(60):
        types = [message.msg_type async for message in request]

    assert client.dropped == 0
    assert types.count("stream") == 10_000
    assert types[-1] == "status"


async def test_waiting_for_ready_takes_nothing_from_a_request(start_fake: StartFake) -> None:
    owner = await start_fake()

    async with KernelClient(owner.connection_info) as client:
        with anyio.fail_after(30):
            await client.wait_for_ready()
            request = client.execute("print a")
            await client.wait_for_ready()
            outputs = await request.outputs()

    assert outputs[0]["text"] == "a\n"


async def test_large_displays_arrive_whole(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("display 10 4000000")

    with anyio.fail_after(60):
        await settled(client)
        sizes = [
            len(message.content["data"]["text/plain"])
            async for message in request
            if message.msg_type == "display_data"
        ]

    assert sizes == [4_000_000] * 10


async def test_past_the_limit_the_flooded_request_is_told_and_the_others_go_on(
    start_fake: StartFake,
) -> None:
    owner = await start_fake()

    async with KernelClient(owner.connection_info, output_limit=1_000_000) as client:
        with anyio.fail_after(30):
            await client.wait_for_ready()
            small = client.execute("print a")
            flood = client.execute("flood 100 50000")
            after = client.execute("print b")
            await settled(client)

            with pytest.raises(OutputOverflowError, match="1,000,000 bytes"):
                await anext(flood)
            reply = await flood
            texts = [
                output["text"] for request in (small, after) for output in await request.outputs()
            ]

    assert reply.content["status"] == "ok"
    assert flood.incomplete
    assert texts == ["a\n", "b\n"]


async def test_past_the_limit_also_a_question_is_let_go(start_fake: StartFake) -> None:
    owner = await start_fake()
    asked = anyio.Event()

    def note(message: Message) -> None:
        asked.set()

    async with KernelClient(owner.connection_info, output_limit=1000) as client:
        client.add_handler(note, "stdin")
        with anyio.fail_after(30):
            await client.wait_for_ready()
            request = client.execute("input name", collect=False).with_stdin()
            await asked.wait()
            client.input("me")
            reply = await request
            with pytest.raises(OutputOverflowError):
                await anext(request)

    assert reply.content["status"] == "ok"


async def test_what_has_been_consumed_or_let_go_does_not_count(start_fake: StartFake) -> None:
    owner = await start_fake()

    async with KernelClient(owner.connection_info, output_limit=1_000_000) as client:
        with anyio.fail_after(30):
            await client.wait_for_ready()
            for _ in range(5):
                await client.execute("flood 10 50000")
            for _ in range(5):
                outputs = await client.execute("flood 10 50000").outputs()

                assert len(outputs[0]["text"]) == 500_000


async def test_a_request_that_collects_nothing_keeps_nothing_and_handlers_see_it(
    start_fake: StartFake,
) -> None:
    client = await start_fake()
    seen: list[str] = []

    def note(message: Message) -> None:
        seen.append(message.msg_type)

    client.add_handler(note)
    with anyio.fail_after(30):
        request = client.execute("print a", collect=False)
        reply = await request
        left = [message async for message in request]

    assert reply.content["status"] == "ok"
    assert left == []
    assert "stream" in seen


async def test_a_request_that_takes_too_long_is_interrupted(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        reply = await client.execute("sleep 60", interrupt_timeout=0.1)

    assert reply.content["status"] == "error"


async def test_a_kernel_that_leaves_its_interrupt_unanswered_is_waited_for_all_the_same(
    start_fake: StartFake,
) -> None:
    client = await start_fake("--interrupt-request", "ignore")
    assert client.manager is not None
    client.manager.interrupt_mode = "message"

    with anyio.fail_after(30):
        reply = await client.execute("sleep 0.5", interrupt_timeout=0.1)

    assert reply.content["status"] == "ok"


async def test_nothing_is_kept_for_requests_that_nobody_holds(start_fake: StartFake) -> None:
    client = await start_fake("--never-idle", "--mute", "complete_request")

    def kept() -> int:
        gc.collect()
        return sum(isinstance(thing, Exchange) for thing in gc.get_objects())

    before = kept()
    with anyio.fail_after(30):
        for _ in range(20):
            client.complete("a")
            await client.kernel_info()

    assert kept() <= before


async def test_a_missing_idle_is_an_error_if_that_is_wanted(start_fake: StartFake) -> None:
    client = await start_fake("--never-idle")

    with anyio.fail_after(30):
        with pytest.raises(TimeoutError, match=r"not idle within 0\.1 s"):
            await client.execute("result 1", idle_timeout=0.1, raise_on_no_idle=True)
        request = client.execute("result 1", idle_timeout=0.1)
        await request

    assert request.incomplete


async def test_a_request_whose_outputs_cannot_be_heard_is_not_waited_for_as_long(
    start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel_mgmt.client._request._IDLE_GRACE", 3600.0)
    owner = await start_fake()
    connection_info = owner.connection_info.copy()
    connection_info["iopub_port"] = connection_info.get("iopub_port", 0) + 100

    async with KernelClient(connection_info) as client:
        request = client.execute("print a")
        with anyio.fail_after(30):
            reply = await request

    assert reply.content["status"] == "ok"
    assert request.incomplete


async def test_a_request_that_was_heard_of_is_waited_for_until_its_idle_comes(
    start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernel_mgmt.client._request._UNHEARD_GRACE", 0.0)
    client = await start_fake("--never-idle")
    request = client.execute("print a")
    with anyio.fail_after(30):
        await request.reply()
        await anext(request)

    with anyio.move_on_after(0.1):
        await request

    assert not request.incomplete


async def test_a_client_goes_over_to_the_next_kernel(start_fake: StartFake) -> None:
    client = await start_fake()
    successor = await start_fake()
    seen: list[str] = []

    def note(message: Message) -> None:
        seen.append(message.msg_type)

    client.add_handler(note)
    pending = client.execute("sleep 60")
    assert client.manager is not None

    with anyio.fail_after(20):
        await client.manager.signal(SIGKILL)
        client.reconnect(successor.connection_info, successor.manager)
        with pytest.raises(KernelDiedError):
            await pending
        await client.wait_for_ready(30)
        seen.clear()
        outputs = await client.execute("print a").outputs()

    assert outputs[0]["text"] == "a\n"
    assert "stream" in seen


async def test_a_client_whose_kernel_has_died_goes_over_to_the_next(start_fake: StartFake) -> None:
    client = await start_fake()
    successor = await start_fake()

    with anyio.fail_after(20):
        with pytest.raises(KernelDiedError):
            await client.execute("kill")
        client.reconnect(successor.connection_info, successor.manager)
        await client.wait_for_ready(30)
        reply = await client.execute("result 1")

    assert reply.content["status"] == "ok"


async def test_waiting_for_a_kernel_that_is_given_up_for_another_fails(
    start_fake: StartFake,
) -> None:
    client = await start_fake("--slow-start", "60", ready=False)
    successor = await start_fake()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                with pytest.raises(KernelDiedError):
                    await client.wait_for_ready()

            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            client.reconnect(successor.connection_info, successor.manager)


async def test_a_client_comes_back_to_a_kernel_that_has_not_seen_it_leave(
    start_fake: StartFake,
) -> None:
    owner = await start_fake()

    async with KernelClient(owner.connection_info) as client:
        with anyio.fail_after(20):
            for _ in range(20):
                await client.wait_for_ready()
                client.execute("flood 300 10")
                client.reconnect(owner.connection_info)
            reply = await client.kernel_info()

    assert reply.content["status"] == "ok"


@pytest.mark.parametrize("code", ["kill", "result 1"])
async def test_a_closed_client_goes_nowhere(code: str, start_fake: StartFake) -> None:
    client = await start_fake()
    with anyio.fail_after(30), suppress(KernelDiedError):
        await client.execute(code)
    client.close()

    with pytest.raises(ClientClosedError):
        client.reconnect(client.connection_info)


async def test_a_client_goes_over_on_the_demand_of_another_thread(start_fake: StartFake) -> None:
    client = await start_fake()
    successor = await start_fake()
    pending = client.execute("sleep 60")

    def order() -> None:
        client.reconnect_soon(successor.connection_info, successor.manager)

    with anyio.fail_after(20):
        await to_thread.run_sync(order)
        with pytest.raises(KernelDiedError):
            await pending
        reply = await client.execute("result 1")

    assert reply.content["status"] == "ok"
    assert client.manager is successor.manager


async def test_requests_to_a_kernel_that_publishes_nothing_are_not_held_back_for_ever(
    start_fake: StartFake,
) -> None:
    client = await start_fake()
    successor = await start_fake("--late-iopub", "60", "--no-welcome", ready=False)
    client.reconnect_soon(successor.connection_info, successor.manager)

    with anyio.fail_after(30):
        reply = await client.execute("result 1").reply()

    assert reply.content["status"] == "ok"


async def test_a_client_that_goes_over_again_holds_back_for_the_last_kernel(
    start_fake: StartFake,
) -> None:
    client = await start_fake()
    between = await start_fake("--slow-start", "60", ready=False)
    successor = await start_fake("--late-iopub", "0.5", "--no-welcome", ready=False)
    client.reconnect_soon(between.connection_info, between.manager)
    lost = client.execute("result 1")
    await anyio.wait_all_tasks_blocked()
    client.reconnect_soon(successor.connection_info, successor.manager)

    with anyio.fail_after(30):
        with pytest.raises(KernelDiedError):
            await lost
        outputs = await client.execute("print a").outputs()

    assert [output["text"] for output in outputs] == ["a\n"]


async def test_a_client_that_is_closed_meanwhile_goes_nowhere(start_fake: StartFake) -> None:
    client = await start_fake()

    client.reconnect_soon(client.connection_info)
    client.close()
    await anyio.wait_all_tasks_blocked()

    assert isinstance(client.failure, ClientClosedError)
