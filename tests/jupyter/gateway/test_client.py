"""A client of a kernel on a gateway, and its channels."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from queue import Empty
from selectors import DefaultSelector
from typing import Any

import anyio
import pytest

from kernel_mgmt.exceptions import CredentialsRefusedError, KernelDiedError
from kernel_mgmt.jupyter.gateway import ChannelQueue, GatewayKernelClient, HBChannelQueue
from tests.providers.gateway.fake_server import (
    FakeConnection,
    kernel,
    message,
    refusing,
    reply,
    status,
    stream,
)

from .conftest import faked

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def started() -> AsyncGenerator[GatewayKernelClient]:
    client = GatewayKernelClient("an-id")
    with anyio.fail_after(60):
        await client.start_channels()
        try:
            yield client
        finally:
            client.stop_channels()


async def reply_to(client: Any, code: str) -> dict[str, Any]:
    reply: dict[str, Any] = await client.execute(code, reply=True, timeout=30)
    return reply


async def printed(client: GatewayKernelClient, code: str) -> str:
    texts: list[str] = []

    def show(output: dict[str, Any]) -> None:
        texts.append(output["content"].get("text", ""))

    await client.execute_interactive(code, output_hook=show, timeout=30)
    return "".join(texts)


def echo(connection: FakeConnection) -> None:
    """Answer each request with the buffers that came with it."""
    connection.accept()
    while True:
        request = connection.take()
        connection.answer(request, message("data", {}, request, buffers=request.buffers))


async def test_a_websocket_shows_the_credentials_of_the_other_requests() -> None:
    with faked(kernel) as server:
        async with started() as client:
            await printed(client, "hello")

    assert server.requests[0].headers["Authorization"] == "token the-token"


async def test_the_event_loop_goes_on_while_a_websocket_is_opened() -> None:
    may_open = threading.Event()

    def slow(connection: FakeConnection) -> None:
        may_open.wait(30)
        kernel(connection)

    with faked(slow):
        async with started() as client:
            before = client.hb_channel.is_beating()
            waiting = asyncio.ensure_future(printed(client, "sent before"))
            await asyncio.sleep(0)
            may_open.set()

            assert not before
            assert await waiting == "sent before"
            assert client.hb_channel.is_beating()


async def test_buffers_come_and_go_and_other_messages_after_them() -> None:
    buffers = [b"\x80\xff\x00", b"", bytes(100_000)]
    with faked(echo):
        async with started() as client:
            for _ in range(2):
                request = client.session.msg("execute_request", {"code": ""})
                client.shell_channel.send({**request, "buffers": buffers})
                while (received := await client.get_iopub_msg(timeout=30))["msg_type"] != "data":
                    pass

                assert list(map(bytes, received["buffers"])) == buffers
            assert client.hb_channel.is_beating()


async def test_text_is_understood_though_the_server_agreed_to_the_other_framing() -> None:
    def lie(connection: FakeConnection) -> None:
        connection.accept("v1")
        connection.send_as("json", status("idle"))
        request = connection.take("execute_request")
        connection.send_as("json", status("busy", request))
        connection.send_as("json", stream("42", request))
        connection.send_as("json", reply(request))
        connection.send_as("json", status("idle", request))
        connection.stay()

    with faked(lie):
        async with started() as client:
            assert await printed(client, "6 * 7") == "42"


def test_waiting_for_a_message_does_not_keep_the_event_loop_busy() -> None:
    class CountingSelector(DefaultSelector):
        count = 0

        def select(self, timeout: float | None = None) -> Any:
            self.count += 1
            return super().select(timeout)

    selector = CountingSelector()

    async def wait() -> int:
        async with started() as client:
            before = selector.count
            with pytest.raises(Empty):
                await client.get_shell_msg(timeout=0.5)
            return selector.count - before

    with (
        faked(kernel),
        asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner,
    ):
        assert runner.run(wait()) < 10


async def test_a_heart_stops_and_requests_fail_when_the_kernel_is_gone() -> None:
    def drop(connection: FakeConnection) -> None:
        connection.accept()
        connection.take("execute_request")
        connection.drop()

    with faked(drop, refusing(404)):
        async with started() as client:
            with pytest.raises(KernelDiedError):
                await reply_to(client, "1")

            assert not client.hb_channel.is_beating()
            assert not client.shell_channel.is_alive()
            with pytest.raises(KernelDiedError):
                await client.get_shell_msg(timeout=30)


async def test_a_connection_that_is_lost_is_made_again() -> None:
    def drop(connection: FakeConnection) -> None:
        connection.accept()
        connection.take("kernel_info_request")
        connection.drop()

    is_back = anyio.Event()
    loop = asyncio.get_running_loop()

    def come_back(connection: FakeConnection) -> None:
        connection.accept()
        loop.call_soon_threadsafe(is_back.set)
        connection.serve()

    with faked(drop, come_back):
        async with started() as client:
            client.kernel_info()
            await is_back.wait()

            assert await printed(client, "still here") == "still here"
            assert client.hb_channel.is_beating()


async def test_refused_credentials_are_told_to_who_waits() -> None:
    with faked(refusing(403)):
        async with started() as client:
            with pytest.raises(CredentialsRefusedError):
                await reply_to(client, "1")


async def test_a_request_fails_when_its_kernel_is_started_again() -> None:
    def restart(connection: FakeConnection) -> None:
        connection.accept()
        connection.take("execute_request")
        connection.send(status("restarting"))
        connection.serve()

    with faked(restart):
        async with started() as client:
            with pytest.raises(KernelDiedError):
                await reply_to(client, "1")
            assert not client.hb_channel.is_beating()

            assert await printed(client, "anew") == "anew"
            assert client.hb_channel.is_beating()


async def test_a_fetch_that_is_cancelled_takes_no_message() -> None:
    with faked(kernel):
        async with started() as client:
            with anyio.move_on_after(0):
                await client.get_shell_msg(timeout=None)
            client.execute("1")

            assert (await client.get_shell_msg(timeout=30))["msg_type"] == "execute_reply"


async def test_each_request_of_many_tasks_gets_its_reply() -> None:
    with faked(kernel):
        async with started() as client, anyio.create_task_group() as tasks:
            for number in range(20):

                async def check(number: int) -> None:
                    assert await printed(client, str(number)) == str(number)

                tasks.start_soon(check, number)


async def test_the_channels_are_queues_that_tell_whether_they_are_alive() -> None:
    with faked(kernel):
        client = GatewayKernelClient("an-id")
        before = client.channels_running
        await client.start_channels()
        channels = [
            client.shell_channel,
            client.iopub_channel,
            client.stdin_channel,
            client.control_channel,
            client.hb_channel,
        ]
        during = [channel.is_alive() for channel in channels]
        client.stop_channels()
        client.stop_channels()

    assert [type(channel) for channel in channels] == [*[ChannelQueue] * 4, HBChannelQueue]
    assert not before
    assert during == [True] * 5
    assert [channel.is_alive() for channel in channels] == [False] * 5


async def test_channels_that_were_stopped_can_be_started_again() -> None:
    with faked(kernel):
        client = GatewayKernelClient("an-id")
        for text in ("one", "two"):
            with anyio.fail_after(60):
                await client.start_channels()

                assert await printed(client, text) == text
            client.stop_channels()


async def test_a_client_that_nobody_holds_closes_its_websocket() -> None:
    has_come, has_left = anyio.Event(), anyio.Event()
    loop = asyncio.get_running_loop()

    def stay(connection: FakeConnection) -> None:
        connection.accept()
        loop.call_soon_threadsafe(has_come.set)
        connection.stay()
        loop.call_soon_threadsafe(has_left.set)

    with faked(stay), anyio.fail_after(30):
        client = GatewayKernelClient("an-id")
        await client.start_channels()
        await has_come.wait()
        del client
        gc.collect()

        await has_left.wait()
