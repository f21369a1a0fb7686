"""A connection that breaks is made again; nothing comes twice, and nothing is lost in silence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest

from kernel_mgmt import (
    ConnectionLostError,
    CredentialsRefusedError,
    KernelClient,
    KernelDiedError,
    KernelGoneError,
    Request,
)
from kernel_mgmt import Message as KernelMessage
from kernel_mgmt.transports.websocket import KeepAlive, Reconnection
from tests.launchers.conftest import nothing_is_left, runtime_dir, started_zmq

from .fake_server import (
    FakeConnection,
    FakeServer,
    Message,
    Received,
    kernel,
    refusing,
    reply,
    status,
    stream,
)
from .remote import client_of, printed

__all__ = ("nothing_is_left", "runtime_dir", "started_zmq")

pytestmark = pytest.mark.anyio


def sessions(server: FakeServer) -> set[str]:
    return {parse_qs(urlsplit(each.path).query)["session_id"][0] for each in server.requests}


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await anyio.sleep(0.001)


async def test_what_was_missed_comes_with_the_next_connection_and_what_was_not_once() -> None:
    sent: list[Message] = []

    def breaks(connection: FakeConnection) -> None:
        connection.accept()
        request = connection.take("execute_request")
        ticks = [stream(f"tick {number} ", request) for number in range(3)]
        sent.extend([status("busy", request), *ticks, reply(request), status("idle", request)])
        connection.send(*sent[:3])
        connection.wait_for_ping()
        connection.drop()

    def replays(connection: FakeConnection) -> None:
        connection.accept()
        connection.send(*sent)
        connection.serve()

    with FakeServer(breaks, replays) as server:
        async with client_of(server) as client:
            text = await printed(client, "")
            again = await printed(client, "and on")

    assert text == "tick 0 tick 1 tick 2 "
    assert again == "and on"
    assert sessions(server) == {client.session}
    assert len(server.requests) == 2


async def test_what_comes_twice_is_received_once() -> None:
    def script(connection: FakeConnection) -> None:
        connection.accept()
        request = connection.take("execute_request")
        for each in (stream("once", request), reply(request), status("idle", request)):
            connection.send(each, each)
        connection.serve()

    seen: list[KernelMessage] = []
    with FakeServer(script) as server:
        async with client_of(server) as client:
            client.add_handler(seen.append, ["shell", "iopub"])
            text = await printed(client, "")
            await client.kernel_info()

    assert text == "once"
    assert [each.msg_type for each in seen].count("execute_reply") == 1


@pytest.mark.parametrize("close", [FakeConnection.drop, FakeConnection.close])
async def test_what_is_sent_while_there_is_no_connection_goes_with_the_next(
    close: Callable[[FakeConnection], None],
) -> None:
    closed, open_again = threading.Event(), threading.Event()

    def breaks(connection: FakeConnection) -> None:
        connection.accept()
        connection.answer(connection.take())
        connection.wait_for_ping()
        close(connection)
        closed.set()

    def waits(connection: FakeConnection) -> None:
        open_again.wait(30)
        kernel(connection)

    with FakeServer(breaks, waits) as server:
        async with client_of(server) as client:
            await client.execute("")
            await until(lambda: closed.is_set() and not client.is_connected)
            requests = [client.execute(f"number {number}") for number in range(3)]
            open_again.set()
            texts = [(await each.outputs())[0]["text"] for each in requests]

    assert texts == ["number 0", "number 1", "number 2"]
    assert server.faults == []


async def on_its_way(
    next_connection: Callable[[FakeConnection, Received], None],
    send: Callable[[KernelClient], Request],
) -> tuple[Request, list[Received]]:
    """Send a request over a connection that breaks without a word about it."""
    taken: list[Received] = []

    def breaks(connection: FakeConnection) -> None:
        connection.answers_pings = False
        connection.accept()
        taken.append(connection.take())
        connection.drop()

    def script(connection: FakeConnection) -> None:
        connection.accept()
        next_connection(connection, taken[0])

    with FakeServer(breaks, script) as server:
        async with client_of(server) as client:
            request = send(client)
            try:
                await request
            except ConnectionLostError:
                assert (await client.kernel_info()).content["status"] == "ok"
    return request, taken


async def test_code_that_was_on_its_way_is_not_executed_twice_but_fails() -> None:
    taken: list[Received] = []

    def serves(connection: FakeConnection, before: Received) -> None:
        while True:
            taken.append(connection.take())
            connection.answer(taken[-1])

    request, _ = await on_its_way(serves, lambda client: client.execute("launch()"))

    with pytest.raises(ConnectionLostError, match="on its way"):
        await request
    assert [each.msg_type for each in taken] == ["kernel_info_request"]


async def test_code_that_was_on_its_way_and_arrived_is_answered() -> None:
    def replays(connection: FakeConnection, before: Received) -> None:
        connection.send(status("busy", before))
        connection.wait_for_ping()
        connection.ping()
        connection.answer(before, stream("arrived", before))
        connection.stay()

    request, _ = await on_its_way(replays, lambda client: client.execute("launch()"))

    assert (await request).content["status"] == "ok"
    assert await request.outputs() == [
        {"output_type": "stream", "name": "stdout", "text": "arrived"}
    ]


async def test_what_does_no_harm_is_sent_again() -> None:
    again: list[Received] = []

    def serves(connection: FakeConnection, before: Received) -> None:
        again.append(connection.take())
        connection.answer(again[0])
        connection.stay()

    request, taken = await on_its_way(serves, lambda client: client.complete("pri"))

    assert (await request).content["status"] == "ok"
    assert [each.header["msg_id"] for each in again] == [taken[0].header["msg_id"]]


async def test_a_connection_on_which_pongs_are_withheld_is_made_again() -> None:
    def withholds(connection: FakeConnection) -> None:
        connection.answers_pings = False
        connection.accept()
        connection.stay()

    with FakeServer(withholds, kernel) as server:
        async with client_of(server, keep_alive=KeepAlive(0.01, 0.05)) as client:
            client.connect()
            await until(lambda: len(server.requests) == 2)
            text = await printed(client, "hello")

    assert text == "hello"


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_an_upgrade_that_fails_is_tried_again(status: int) -> None:
    with FakeServer(refusing(status), refusing(status), kernel) as server:
        async with client_of(server) as client:
            text = await printed(client, "hello")

    assert text == "hello"


async def test_what_is_no_answer_to_the_upgrade_is_tried_again() -> None:
    def mute(connection: FakeConnection) -> None:
        connection.drop()

    def speaks_something_else(connection: FakeConnection) -> None:
        connection.send_bytes(b"220 ESMTP ready\r\n")
        connection.drop()

    with FakeServer(mute, speaks_something_else, kernel) as server:
        async with client_of(server) as client:
            text = await printed(client, "hello")

    assert text == "hello"


async def test_an_upgrade_that_is_not_answered_in_time_is_tried_again() -> None:
    with FakeServer(FakeConnection.stay, kernel) as server:
        async with client_of(server, connect_timeout=0.2) as client:
            text = await printed(client, "hello")

    assert text == "hello"


async def test_what_breaks_the_protocol_of_websockets_is_left() -> None:
    def breaks(connection: FakeConnection) -> None:
        connection.accept()
        connection.take()
        connection.send_bytes(b"\xff\xff\xff\xff")
        connection.stay()

    with FakeServer(breaks, kernel) as server:
        async with client_of(server) as client:
            await client.kernel_info()

    assert len(server.requests) == 2


async def test_a_connection_that_cannot_be_made_is_given_up_after_some_tries() -> None:
    with FakeServer(refusing(500)) as server:
        async with client_of(server) as client:
            request = client.execute("")

            with pytest.raises(ConnectionLostError, match="HTTP status 500") as caught:
                await request
            assert isinstance(client.failure, ConnectionLostError)
    assert len(server.requests) == 4
    assert caught.value.url == server.url


async def test_a_server_that_nobody_runs_is_given_up() -> None:
    with FakeServer(kernel) as server:
        pass
    async with client_of(server) as client:
        with pytest.raises(ConnectionLostError):
            await client.wait_for_ready()


async def test_connections_that_break_before_they_have_proved_themselves_are_given_up() -> None:
    def breaks(connection: FakeConnection) -> None:
        connection.accept()
        connection.drop()

    with FakeServer(breaks) as server:
        async with client_of(server) as client:
            with pytest.raises(ConnectionLostError):
                await client.execute("")

    assert len(server.requests) == 4


async def test_tries_are_counted_anew_when_a_connection_has_proved_itself() -> None:
    def breaks(connection: FakeConnection) -> None:
        connection.accept()
        connection.wait_for_ping()
        connection.ping()
        connection.drop()

    with FakeServer(*[breaks] * 8, kernel) as server:
        async with client_of(server) as client:
            client.connect()
            await until(lambda: len(server.requests) == 9)
            text = await printed(client, "hello")

    assert text == "hello"


async def test_a_client_that_was_given_up_goes_over_to_another_kernel() -> None:
    with FakeServer(refusing(500)) as dead, FakeServer(kernel) as server:
        async with client_of(dead) as client:
            with pytest.raises(ConnectionLostError):
                await client.execute("")
            client.reconnect({"transport": "websocket", "url": server.url})
            text = await printed(client, "hello")

    assert text == "hello"


def credentials(asked: list[bool], *, renewed: bool = True) -> Any:
    async def authorize(renew: bool) -> Mapping[str, str]:
        asked.append(renew)
        return {"Authorization": "token new" if renew and renewed else "token old"}

    return authorize


def knows_the_new(status: int) -> Callable[[FakeConnection], None]:
    def script(connection: FakeConnection) -> None:
        if connection.request.headers.get("Authorization") == "token new":
            kernel(connection)
        else:
            connection.refuse(status)

    return script


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_are_renewed_once_when_they_are_refused(status: int) -> None:
    asked: list[bool] = []
    with FakeServer(knows_the_new(status)) as server:
        async with client_of(server, authorize=credentials(asked)) as client:
            text = await printed(client, "hello")

    assert text == "hello"
    assert asked == [False, True]


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_that_are_refused_when_renewed_are_an_error(status: int) -> None:
    asked: list[bool] = []
    with FakeServer(refusing(status)) as server:
        async with client_of(server, authorize=credentials(asked, renewed=False)) as client:
            with pytest.raises(CredentialsRefusedError) as caught:
                await client.execute("")

    assert caught.value.status == status
    assert asked == [False, True]


async def test_credentials_are_renewed_again_after_a_connection() -> None:
    asked: list[bool] = []

    def breaks(connection: FakeConnection) -> None:
        connection.accept()
        connection.answer(connection.take())
        connection.wait_for_ping()
        connection.drop()

    with FakeServer(refusing(401), breaks, refusing(401), kernel) as server:
        async with client_of(server, authorize=credentials(asked)) as client:
            await client.execute("")
            await until(lambda: len(server.requests) == 4)
            text = await printed(client, "hello")

    assert text == "hello"
    assert asked == [False, True, False, True]


async def test_credentials_that_cannot_be_had_are_asked_for_again() -> None:
    asked: list[bool] = []

    async def authorize(renew: bool) -> Mapping[str, str]:
        asked.append(renew)
        if len(asked) == 1:
            raise OSError("the vault is closed")
        return {}

    with FakeServer(kernel) as server:
        async with client_of(server, authorize=authorize) as client:
            text = await printed(client, "hello")

    assert text == "hello"
    assert asked == [False, False]


async def test_an_error_of_ours_in_place_of_credentials_is_the_failure() -> None:
    async def authorize(renew: bool) -> Mapping[str, str]:
        raise CredentialsRefusedError("https://vault", 403)

    with FakeServer(kernel) as server:
        async with client_of(server, authorize=authorize) as client:
            with pytest.raises(CredentialsRefusedError, match="https://vault"):
                await client.execute("")


async def test_a_kernel_that_the_server_does_not_know_is_gone() -> None:
    with FakeServer(refusing(404)) as server:
        async with client_of(server) as client:
            shutdown = client.shutdown()
            with pytest.raises(KernelGoneError) as caught:
                await client.execute("")
            answer = await shutdown

    assert isinstance(caught.value, KernelDiedError)
    assert caught.value.url == server.url
    assert answer.content["status"] == "ok"
    assert len(server.requests) == 1


async def test_a_redirection_is_not_followed() -> None:
    with FakeServer(refusing(302)) as server:
        async with client_of(server) as client:
            with pytest.raises(ConnectionLostError, match="302"):
                await client.execute("")


async def test_the_query_of_the_url_is_in_no_message() -> None:
    with FakeServer(refusing(302)) as server, anyio.fail_after(30):
        info: Any = {"transport": "websocket", "url": f"{server.url}?token=secret"}
        async with KernelClient(info) as client:
            with pytest.raises(ConnectionLostError) as caught:
                await client.execute("")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("state", ["restarting", "autorestarting"])
async def test_a_kernel_that_its_server_starts_again_fails_what_is_pending(state: str) -> None:
    def script(connection: FakeConnection) -> None:
        connection.accept()
        connection.send(status("busy", connection.take("execute_request")))
        connection.send(status(state))
        connection.serve()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            request = client.execute("crash()")

            with pytest.raises(KernelDiedError):
                await request
            assert await printed(client, "hello") == "hello"


async def test_a_kernel_that_its_server_gives_up_is_dead() -> None:
    def script(connection: FakeConnection) -> None:
        connection.accept()
        connection.take("execute_request")
        connection.send(status("dead"))
        connection.stay()

    with FakeServer(script) as server:
        async with client_of(server) as client:
            with pytest.raises(KernelDiedError):
                await client.execute("crash()")
            assert isinstance(client.failure, KernelDiedError)


async def test_what_waits_for_a_kernel_that_died_does_not_reach_the_next() -> None:
    lost, taken = threading.Event(), list[str]()

    def breaks(connection: FakeConnection) -> None:
        connection.answers_pings = False
        connection.accept()
        connection.take("execute_request")
        connection.drop()

    def died(connection: FakeConnection) -> None:
        connection.accept()
        lost.wait(30)
        connection.send(status("restarting"))
        while True:
            taken.append(connection.take().msg_type)

    with FakeServer(breaks, died) as server:
        async with client_of(server) as client:
            first = client.execute("crash()")
            await until(lambda: len(server.requests) == 2)
            second = client.execute("1")
            lost.set()

            for request in (first, second):
                with pytest.raises((KernelDiedError, ConnectionLostError)):
                    await request
            client.comm_info()
            await until(lambda: taken)
    assert taken == ["comm_info_request"]


def test_pauses_grow_up_to_the_longest_and_differ() -> None:
    plan = Reconnection(pause=1.0, longest_pause=30.0)
    pauses = [plan.pause_before(tried) for tried in (0, 1, 2, 3, 10, 5000)]

    longest = [1.0, 2.0, 4.0, 8.0, 30.0, 30.0]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))
    assert len({plan.pause_before(10) for _ in range(20)}) > 1
