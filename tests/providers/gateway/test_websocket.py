"""Messages over WebSocket: the framings, what is large or odd, and the end."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from kernel_mgmt import ClientClosedError, KernelClient, Message
from kernel_mgmt.transports.websocket import KeepAlive
from tests.launchers.conftest import nothing_is_left, runtime_dir, started_zmq

from .fake_server import (
    V1,
    FakeConnection,
    FakeServer,
    Framing,
    Received,
    json_kernel,
    kernel,
    message,
    reply,
    status,
    stream,
)
from .remote import client_of, printed

__all__ = ("nothing_is_left", "runtime_dir", "started_zmq")

pytestmark = pytest.mark.anyio


def displays(*buffers: bytes, text: str = "") -> Any:
    """A script that answers one execution with a display."""

    def script(connection: FakeConnection, framing: Framing = "v1") -> None:
        connection.accept(framing)
        request = connection.take("execute_request")
        content = {"data": {"text/plain": text}, "metadata": {}, "transient": {}}
        connection.answer(request, message("display_data", content, request, buffers=buffers))
        connection.stay()

    return script


async def published(client: KernelClient, msg_type: str) -> list[Message]:
    return [each async for each in client.execute("") if each.msg_type == msg_type]


@pytest.mark.parametrize("script", [kernel, json_kernel])
async def test_a_kernel_is_ready_and_executes(script: Any) -> None:
    with FakeServer(script) as server:
        async with client_of(server) as client:
            info = await client.wait_for_ready()
            text = await printed(client, "hello")

    assert info["status"] == "ok"
    assert text == "hello"
    assert server.faults == []


async def test_a_connection_info_is_enough() -> None:
    with FakeServer(kernel) as server:
        info: Any = {"transport": "websocket", "url": server.url, "headers": {"X-Own": "header"}}
        with anyio.fail_after(30):
            async with KernelClient(json.loads(json.dumps(info))) as client:
                text = await printed(client, "hello")

    assert text == "hello"
    assert server.requests[0].headers["X-Own"] == "header"


async def test_the_binary_framing_and_the_session_are_named_in_the_request() -> None:
    with FakeServer(kernel) as server:
        async with client_of(server) as client:
            await client.wait_for_ready()

    url = urlsplit(server.requests[0].path)
    assert url.path == "/base/api/kernels/an-id/channels"
    assert parse_qs(url.query) == {"session_id": [client.session]}
    assert server.requests[0].headers["Sec-WebSocket-Protocol"] == V1


async def test_a_query_that_the_url_has_is_kept() -> None:
    with FakeServer(kernel) as server:
        info: Any = {"transport": "websocket", "url": f"{server.url}?token=secret"}
        with anyio.fail_after(30):
            async with KernelClient(info) as client:
                await client.wait_for_ready()

    assert parse_qs(urlsplit(server.requests[0].path).query)["token"] == ["secret"]


@pytest.mark.parametrize("framing", ["v1", "json"])
async def test_buffers_come(framing: Framing) -> None:
    buffers = (b"\x00\xff" * 3, b"", b"b" * 100_000)
    with FakeServer(lambda connection: displays(*buffers)(connection, framing)) as server:
        async with client_of(server) as client:
            (display,) = await published(client, "display_data")

    assert tuple(bytes(buffer) for buffer in display.buffers) == buffers


async def test_more_buffers_come_than_a_byte_can_count() -> None:
    buffers = [bytes([index % 256]) for index in range(251)]
    with FakeServer(displays(*buffers)) as server:
        async with client_of(server) as client:
            (display,) = await published(client, "display_data")

    assert [bytes(buffer) for buffer in display.buffers] == buffers


@pytest.mark.parametrize("framing", ["v1", "json"])
async def test_buffers_are_sent(framing: Framing) -> None:
    taken: list[Received] = []

    def script(connection: FakeConnection) -> None:
        connection.accept(framing)
        taken.append(connection.take("comm_msg"))
        connection.answer(connection.take())
        connection.stay()

    buffers = [b"\x00\xff" * 3, b"", b"b" * 100_000]
    with FakeServer(script) as server:
        async with client_of(server) as client:
            client.comm_msg("a-comm", {"x": 1}, buffers=buffers)
            await client.execute("")

    assert taken[0].framing == framing
    assert taken[0].buffers == buffers
    assert taken[0].content == {"comm_id": "a-comm", "data": {"x": 1}}


async def test_each_frame_is_read_in_the_framing_that_it_is_in() -> None:
    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        request = connection.take("execute_request")
        connection.send_as("v1", status("busy", request))
        connection.send_as("json", stream("text, ", request))
        connection.send_as("json", message("display_data", {}, request, buffers=[b"old"]))
        connection.send_as("v1", message("display_data", {}, request, buffers=[b"new"]))
        connection.send_as("json", reply(request))
        connection.send_as("v1", status("idle", request))
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            messages = [each async for each in client.execute("")]

    types = [each.msg_type for each in messages]
    assert types == ["status", "stream", "display_data", "display_data", "status"]
    assert [bytes(each.buffers[0]) for each in messages[2:4]] == [b"old", b"new"]


async def test_a_server_that_speaks_json_though_it_agreed_to_v1_is_spoken_to_in_json() -> None:
    framings: list[Framing] = []

    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        unread = connection.take("execute_request")
        connection.send_as("json", status("starting"))
        request = connection.take("execute_request")
        framings.extend([unread.framing, request.framing])
        for each in (stream("heard", request), reply(request), status("idle", request)):
            connection.send_as("json", each)
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            text = await printed(client, "")

    assert text == "heard"
    assert framings == ["v1", "json"]


async def test_what_is_no_message_is_dropped_and_counted() -> None:
    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        for is_text, data in (
            (True, b"no json"),
            (True, b"[1]"),
            (True, b'{"channel": "shell"}'),
            (True, b'{"channel": "nowhere", "header": {}}'),
            (False, b""),
            (False, b"\x06" + 7 * b"\x00"),
            (False, b"\x06" + 7 * b"\x00" + b"\x38" + 99 * b"\x00"),
            (False, b"\x00\x00\x00\x02\x00\x00\x00\x0c\xff\xff\xff\xff"),
        ):
            connection.send_data(is_text, data)
        connection.serve()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            text = await printed(client, "hello")

            assert text == "hello"
            assert client.dropped == 8


async def test_json_with_what_json_has_not_is_read() -> None:
    def script(connection: FakeConnection) -> None:
        connection.accept("json")
        request = connection.take("execute_request")
        content = {"data": {"application/json": float("nan")}, "metadata": {}, "transient": {}}
        connection.answer(request, message("display_data", content, request))
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            (display,) = await published(client, "display_data")

    assert str(display.content["data"]["application/json"]) == "nan"


async def test_a_frame_of_thirty_megabytes_comes() -> None:
    text = "x" * 30_000_000
    with FakeServer(displays(text=text)) as server:
        async with client_of(server) as client:
            (display,) = await published(client, "display_data")

    assert display.content["data"]["text/plain"] == text


async def test_a_message_in_fragments_comes_with_pings_between() -> None:
    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        request = connection.take("execute_request")
        for each in (stream("in pieces", request), reply(request), status("idle", request)):
            _, data = each.in_v1()
            connection.send_data(False, data[:50], fin=False)
            connection.send_on(data[50:60], fin=False)
            connection.ping()
            connection.send_on(data[60:], fin=True)
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            text = await printed(client, "")

    assert text == "in pieces"


async def test_frames_are_compressed_if_the_server_likes() -> None:
    deflated: list[bool] = []

    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        deflated.append(connection.deflates)
        connection.serve()

    with FakeServer(script, deflate=True) as server:
        async with client_of(server) as client:
            text = await printed(client, "x" * 100_000)

    assert deflated == [True]
    assert text == "x" * 100_000


async def test_pings_are_answered_while_output_waits_to_be_consumed() -> None:
    answered = threading.Event()

    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        request = connection.take("execute_request")
        for _ in range(2000):
            connection.send(stream("x" * 1000, request))
        connection.ping()
        answered.set()
        connection.answer(request)
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            request = client.execute("")
            while not answered.is_set():
                await anyio.sleep(0.001)
            text = "".join(output["text"] for output in await request.outputs())

    assert len(text) == 2_000_000
    assert server.faults == []


async def test_a_heartbeat_is_a_ping_and_its_answer() -> None:
    heard, done = threading.Event(), threading.Event()

    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        connection.answer(connection.take("kernel_info_request"))
        for _ in range(12):
            connection.wait_for_ping()
        heard.set()
        while not done.is_set():
            connection.wait_for_ping()
        connection.answers_pings = False
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server, use_heartbeat=0.05) as client:
            await client.wait_for_ready()
            while not heard.is_set():
                await anyio.sleep(0.001)
            while not client.is_beating:
                await anyio.sleep(0.001)
            done.set()
            while client.is_beating:
                await anyio.sleep(0.001)


async def test_one_that_is_idle_sends_pings_alone() -> None:
    pings: list[int] = []

    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        connection.wait_for_ping()
        for _ in range(3):
            connection.wait_for_ping()
        pings.append(connection.pings)
        connection.serve()

    with FakeServer(script) as server:
        async with client_of(server, keep_alive=KeepAlive(0.01, 30)) as client:
            client.connect()
            while not pings:
                await anyio.sleep(0.001)

    assert pings == [4]
    assert len(server.requests) == 1


async def test_what_is_sent_before_the_end_still_goes() -> None:
    taken: list[str] = []
    done = threading.Event()

    def script(connection: FakeConnection) -> None:
        connection.accept("v1")
        connection.answer(connection.take("kernel_info_request"))
        taken.append(connection.take().msg_type)
        connection.stay()
        done.set()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            await client.wait_for_ready()
            request = client.shutdown()
            client.close()
            with pytest.raises(ClientClosedError):
                await request.reply()
        with anyio.fail_after(30):
            while not done.is_set():
                await anyio.sleep(0.001)

    assert taken == ["shutdown_request"]


async def test_closing_ends_what_connects_and_what_is_pending() -> None:
    reached = threading.Event()

    def script(connection: FakeConnection) -> None:
        reached.set()
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            request = client.execute("")
            while not reached.is_set():
                await anyio.sleep(0.001)
            client.close()

            with pytest.raises(ClientClosedError):
                await request
            with pytest.raises(ClientClosedError):
                client.send("shell", [b"{}", b"{}", b"{}", b"{}"])


async def test_closing_leaves_no_task() -> None:
    before = {task.id for task in anyio.get_running_tasks()}
    with FakeServer(kernel) as server:
        async with client_of(server) as client:
            await client.wait_for_ready()
        with anyio.fail_after(30):
            while {task.id for task in anyio.get_running_tasks()} - before:
                await anyio.sleep(0.001)


@pytest.mark.parametrize("url", ["http://host/api", "ws:///api", "host/api"])
async def test_a_url_that_is_none_of_a_websocket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="begins with ws://"):
        KernelClient({"transport": "websocket", "url": url})


async def test_a_connection_info_without_a_url_is_refused() -> None:
    with pytest.raises(ValueError, match="no url"):
        KernelClient({"transport": "websocket"})
