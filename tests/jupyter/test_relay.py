"""The relay, between programs and a kernel that a test plays."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, cast

import anyio
import pytest
import zmq

from kernel_mgmt import ConnectionInfo, KernelClient
from kernel_mgmt.abc import TransportABC
from kernel_mgmt.exceptions import KernelDiedError
from kernel_mgmt.jupyter._relay_front import Front
from kernel_mgmt.jupyter._relay_life import forward
from kernel_mgmt.jupyter._relay_routes import Routes
from kernel_mgmt.jupyter.relay import Relay, relayed
from kernel_mgmt.messages import Message, MessageFactory
from kernel_mgmt.transports.zmq import connect_socket
from kernel_mgmt.wire import Signer

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, KernelManagerABC, Received
    from kernel_mgmt.types import Channel, JSONDict

pytestmark = pytest.mark.anyio

LIMIT = 1_000_000


class Kernel(TransportABC):
    """A transport with a kernel at its other end, which a test plays.

    :ivar asked: what has been sent to it, without the questions of the relay itself
    :ivar is_quiet: whether it answers nothing, not even the relay's own questions
    """

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.is_quiet = False
        self.client: Client | None = None
        self.is_connected = True
        self._failure: Callable[[], Exception] | None = None

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self._received = received
        self._ended = ended

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        if channel == "hb":
            return
        message = Message(channel, parts)
        if message.header["username"] == "relay":
            if not self.is_quiet:
                self.publish(message, "status", {"execution_state": "idle"})
                self.answer(message, "kernel_info_reply", {"status": "ok"})
        else:
            self.asked.append(message)

    @property
    def connected(self) -> bool:
        return self.is_connected

    @property
    def failure(self) -> Callable[[], Exception] | None:
        return self._failure

    def close(self) -> None: ...

    def answer(
        self,
        asked: Message,
        msg_type: str,
        content: Mapping[str, object],
        *,
        channel: Channel | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        parts = MessageFactory().make(
            msg_type, content, parent_header=asked.header, buffers=buffers
        )[1]
        self._received(channel or asked.channel, parts)

    def publish(self, asked: Message, msg_type: str, content: Mapping[str, object]) -> None:
        self.answer(asked, msg_type, content, channel="iopub")

    def finish(self, asked: Message) -> None:
        reply = asked.msg_type.replace("request", "reply")
        self.answer(asked, reply, {"status": "ok"})
        self.publish(asked, "status", {"execution_state": "idle"})

    def begin_anew(self) -> None:
        """Be another kernel; what the one before was asked is not answered."""
        assert self.client is not None
        self.client.reconnect({"transport": "played"})

    def die(self) -> None:
        self._failure = KernelDiedError
        self._ended()

    async def has_been_asked(self, count: int) -> list[Message]:
        await until(lambda: len(self.asked) >= count)
        return self.asked


class Client(KernelClient):
    """The relay's client of such a kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        kernel.client = self
        super().__init__({"transport": "played"}, username="relay")

    def _make_transport(
        self, connection_info: ConnectionInfo, manager: KernelManagerABC | None
    ) -> TransportABC:
        return self._kernel


async def until(is_so: Callable[[], bool]) -> None:
    with anyio.fail_after(30):
        while not is_so():
            await anyio.sleep(0.001)


@asynccontextmanager
async def served(
    kernel: Kernel,
    front: Front | None = None,
    limit: int = LIMIT,
    silent_most: float = 30,
    patience: float = 0,
) -> AsyncGenerator[Front]:
    """A front that serves programs with a kernel, as long as the block."""
    async with AsyncExitStack() as stack:
        if front is None:
            front = Front(None, limit, patience=patience)
            front.open()
            stack.push_async_callback(front.close)
        async with anyio.create_task_group() as tasks, Client(kernel) as client:

            async def serve() -> None:
                await forward(front, client, limit=limit, silent_most=silent_most)

            tasks.start_soon(serve)
            await until(lambda: front.is_serving)
            yield front
            tasks.cancel_scope.cancel()


class Socket:
    """A socket of a program, with nothing done for it."""

    def __init__(
        self, info: ConnectionInfo, channel: Channel, topic: bytes = b"", *, few: bool = False
    ) -> None:
        kind = {"iopub": zmq.SUB, "hb": zmq.REQ}.get(channel, zmq.DEALER)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        if few:
            self._socket.rcvhwm = 1
            self._socket.rcvbuf = 10_000
        if channel == "iopub":
            self._socket.subscribe(topic)
        self._socket.connect(f"tcp://127.0.0.1:{cast('JSONDict', info)[f'{channel}_port']}")
        self._signer = Signer(info.get("key", "").encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._context.destroy(0)

    def send(self, frames: Sequence[Buffer]) -> None:
        self._socket.send_multipart(frames)

    def send_message(self, msg_type: str, content: Mapping[str, object]) -> None:
        self.send(self._signer.frames(MessageFactory().make(msg_type, content)[1]))

    def has_something(self) -> bool:
        return bool(self._socket.poll(0))

    async def receive(self) -> list[bytes]:
        await until(self.has_something)
        return self._socket.recv_multipart()

    async def messages(self, count: int) -> list[tuple[str, Any]]:
        """The types and the contents of the next messages, which are signed, but those of idle."""
        found: list[tuple[str, Any]] = []
        while len(found) < count:
            parts = self._signer.parse(await self.receive())
            content = json.loads(bytes(parts[3]))
            if content != {"execution_state": "idle"}:
                found.append((json.loads(bytes(parts[0]))["msg_type"], content))
        return found


@asynccontextmanager
async def program(front: Front) -> AsyncGenerator[tuple[KernelClient, list[Message]]]:
    """A client that has been welcomed, and what it has received."""
    received: list[Message] = []
    async with KernelClient(front.connection_info) as client:
        client.add_handler(received.append, ("shell", "control", "stdin", "iopub"))
        client.connect()
        await until(lambda: "iopub_welcome" in types_of(received))
        await until(lambda: client.is_connected)
        yield client, received


def types_of(messages: Sequence[Message]) -> list[str]:
    return [message.msg_type for message in messages]


async def test_each_program_gets_its_own_replies_and_all_get_what_is_published() -> None:
    kernel = Kernel()
    async with (
        served(kernel) as front,
        program(front) as (ada, to_ada),
        program(front) as (eve, to_eve),
    ):
        ada.kernel_info()
        eve.complete("x")
        for asked in await kernel.has_been_asked(2):
            kernel.finish(asked)
        await until(lambda: min(types_of(to).count("status") for to in (to_ada, to_eve)) > 1)
        await until(lambda: "kernel_info_reply" in types_of(to_ada))
        await until(lambda: "complete_reply" in types_of(to_eve))

    assert "complete_reply" not in types_of(to_ada)
    assert "kernel_info_reply" not in types_of(to_eve)


async def test_a_question_goes_to_the_program_whose_code_asks_and_its_answer_to_the_kernel() -> (
    None
):
    kernel = Kernel()
    async with (
        served(kernel) as front,
        program(front) as (_, to_ada),
        program(front) as (eve, to_eve),
    ):
        eve.execute("input()", allow_stdin=True)
        (asked,) = await kernel.has_been_asked(1)
        kernel.answer(asked, "input_request", {"prompt": "?"}, channel="stdin")
        await until(lambda: "input_request" in types_of(to_eve))
        eve.input("42")
        answer = (await kernel.has_been_asked(2))[1]

    assert (answer.channel, answer.content["value"]) == ("stdin", "42")
    assert "input_request" not in types_of(to_ada)


async def test_a_question_waits_for_a_program_that_is_not_connected_on_stdin_yet() -> None:
    kernel = Kernel()
    async with served(kernel) as front:
        info = front.connection_info
        shell = connect_socket(info, "shell", identity=b"ada")
        parts = MessageFactory().make("execute_request", {"code": "input()"})[1]
        shell.send_multipart(Signer(info.get("key", "").encode()).frames(parts))
        (asked,) = await kernel.has_been_asked(1)
        kernel.answer(asked, "input_request", {"prompt": "?"}, channel="stdin")
        with connect_socket(info, "stdin", identity=b"ada") as stdin, shell:
            await until(lambda: bool(stdin.poll(0)))
            frames = stdin.recv_multipart()

    assert b"input_request" in frames[2]


async def test_a_program_is_welcomed_when_what_the_kernel_publishes_arrives() -> None:
    kernel = Kernel()
    kernel.is_quiet = True
    async with served(kernel) as front:
        with Socket(front.connection_info, "iopub") as iopub, hb_of(front) as hb:
            # The echo tells that the relay is at work, which takes what has come before.
            await hb.receive()
            early = iopub.has_something()
            heard: list[tuple[str, Any]] = []
            while "status" not in [msg_type for msg_type, _ in heard]:
                # The subscription may be on its way still, and then nobody hears the first.
                kernel.publish(message("nothing"), "status", {"execution_state": "starting"})
                heard += await iopub.messages(1)

    assert not early
    assert ("iopub_welcome", {"subscription": ""}) in heard


async def test_a_request_waits_until_somebody_subscribes_to_what_comes_of_it() -> None:
    kernel = Kernel()
    async with served(kernel, patience=60) as front:
        info = front.connection_info
        with Socket(info, "shell") as shell, Socket(info, "control") as control:
            shell.send_message("complete_request", {})
            control.send_message("debug_request", {})
            early = types_of(await kernel.has_been_asked(1))
            with Socket(info, "iopub"):
                asked = await kernel.has_been_asked(2)

    assert early == ["debug_request"]
    assert types_of(asked) == ["debug_request", "complete_request"]


async def test_who_subscribes_to_one_type_gets_no_other() -> None:
    kernel = Kernel()
    async with served(kernel) as front:
        with Socket(front.connection_info, "iopub", b"stream") as iopub:
            welcome = await iopub.messages(1)
            kernel.publish(message("execute_request"), "display_data", {"data": {}})
            kernel.publish(message("execute_request"), "stream", {"text": "a"})
            published = await iopub.messages(1)

    assert welcome == [("iopub_welcome", {"subscription": "stream"})]
    assert published == [("stream", {"text": "a"})]


async def test_a_message_passes_as_it_is_with_its_buffers() -> None:
    kernel = Kernel()
    large = bytes(range(256)) * 1000
    async with served(kernel) as front, program(front) as (client, received):
        _, parts = MessageFactory().make(
            "comm_msg", {"comm_id": "1", "odd": float("nan")}, buffers=[b"", b"a", large]
        )
        client.send("shell", parts)
        (asked,) = await kernel.has_been_asked(1)
        kernel.answer(asked, "comm_msg", {}, channel="iopub", buffers=[large, b""])
        await until(lambda: "comm_msg" in types_of(received))

    assert [bytes(part) for part in asked.parts] == parts
    assert [bytes(buffer) for buffer in received[-1].buffers] == [large, b""]


async def test_what_is_no_message_or_wrongly_signed_is_dropped_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kernel = Kernel()
    parts = MessageFactory().make("kernel_info_request", {})[1]
    async with served(kernel) as front:
        with Socket(front.connection_info, "shell") as shell:
            shell.send([b"nonsense"])
            shell.send(Signer(b"another").frames(parts))
            shell.send(Signer(front.connection_info.get("key", "").encode()).frames([b"?"] * 4))
            shell.send_message("complete_request", {})
            asked = await kernel.has_been_asked(1)

    assert types_of(asked) == ["complete_request"]
    assert caplog.text.count("dropped what a program sent on shell") == 1


async def test_the_heart_beats_only_while_the_kernel_can_be_reached() -> None:
    kernel = Kernel()
    async with served(kernel) as front:
        with hb_of(front) as hb:
            assert await hb.receive() == [b"ping"]
        kernel.is_connected = False
        with hb_of(front) as hb, Socket(front.connection_info, "shell") as shell:
            shell.send_message("complete_request", {})
            await kernel.has_been_asked(1)

            assert not hb.has_something()


async def test_what_is_pending_when_the_kernel_dies_is_answered_with_the_error() -> None:
    kernel = Kernel()
    async with served(kernel) as front, program(front) as (client, received):
        request = client.execute("1")
        client.shutdown()
        await kernel.has_been_asked(2)
        kernel.die()
        with anyio.fail_after(30):
            reply = await request
        await until(lambda: "shutdown_reply" in types_of(received))

    contents = {message.msg_type: message.content for message in received}
    assert (reply.content["status"], reply.content["ename"]) == ("error", "KernelDiedError")
    assert contents["error"]["ename"] == "KernelDiedError"
    assert contents["shutdown_reply"]["status"] == "ok"


async def test_a_kernel_that_takes_the_place_of_another_is_not_waited_for_to_answer_for_it() -> (
    None
):
    kernel = Kernel()
    async with served(kernel) as front, program(front) as (client, _):
        request = client.execute("1")
        await kernel.has_been_asked(1)
        kernel.begin_anew()
        with anyio.fail_after(30):
            reply = await request
        client.execute("2")
        asked = await kernel.has_been_asked(2)

    assert reply.content["ename"] == "KernelDiedError"
    assert asked[1].content["code"] == "2"


async def test_a_kernel_that_is_out_of_reach_for_long_is_taken_to_have_ended() -> None:
    kernel = Kernel()
    async with served(kernel, silent_most=0.2) as front, program(front) as (client, _):
        request = client.execute("1")
        await kernel.has_been_asked(1)
        kernel.is_connected = False
        with anyio.fail_after(30):
            reply = await request

    assert reply.content["ename"] == "KernelDiedError"


async def test_what_is_asked_between_two_kernels_is_for_the_second() -> None:
    first, second = Kernel(), Kernel()
    async with served(first) as front, program(front) as (client, _):
        first.die()
        await until(lambda: not front.is_serving)
        request = client.complete("x")
        async with served(second, front):
            second.finish((await second.has_been_asked(1))[0])
            with anyio.fail_after(30):
                reply = await request

    assert (reply.msg_type, types_of(first.asked)) == ("complete_reply", [])


async def test_too_many_requests_are_refused_and_told() -> None:
    kernel = Kernel()
    async with served(kernel) as front, program(front) as (client, _):
        client.execute("#" * (LIMIT // 2))
        refused = client.execute("#" * (LIMIT // 2))
        with anyio.fail_after(30):
            reply = await refused

    assert (reply.content["status"], reply.content["ename"]) == ("error", "RelayOverflowError")
    assert types_of(kernel.asked) == ["execute_request"]


async def test_output_that_a_program_does_not_read_is_bounded_and_what_is_lost_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kernel = Kernel()
    asked = message("execute_request")
    async with served(kernel) as front:
        with Socket(front.connection_info, "iopub", few=True) as iopub:
            await iopub.messages(1)
            for _ in range(200):
                kernel.publish(asked, "stream", {"text": "#" * 100_000})
            kernel.publish(asked, "status", {"execution_state": "busy"})
            read: list[tuple[str, Any]] = []
            while not read or read[-1][0] != "status":
                read += await iopub.messages(1)
            await until(lambda: front.is_flowing)
            kernel.publish(asked, "stream", {"text": "again"})
            while read[-1][1].get("text") != "again":
                read += await iopub.messages(1)

    texts = [content["text"] for msg_type, content in read if msg_type == "stream"]
    told = sum(int(text.split()[0]) for text in texts if "are missing here" in text)
    assert told == 200 - texts.count("#" * 100_000) > 0
    assert "does not read what is published" in caplog.text


async def test_a_flood_arrives_as_a_whole_and_in_order() -> None:
    kernel = Kernel()
    asked = message("execute_request")
    async with served(kernel) as front:
        with Socket(front.connection_info, "iopub") as iopub:
            await iopub.messages(1)
            for number in range(5000):
                kernel.publish(asked, "stream", {"text": number})
            read = await iopub.messages(5000)

    assert [content["text"] for _, content in read] == list(range(5000))


async def test_where_a_relay_has_listened_another_one_can_at_once() -> None:
    async with Relay() as relay, Relay() as other:
        info = relay.connection_info
        with pytest.raises(OSError, match="cannot listen"):
            async with Relay(info):
                pass
    async with Relay(info) as again:
        assert again.connection_info == info != other.connection_info


async def test_what_is_pending_when_the_relay_ends_is_answered_with_the_error() -> None:
    kernel, first = Kernel(), Kernel()
    async with served(first) as front, program(front) as (client, _):
        first.die()
        await until(lambda: not front.is_serving)
        async with served(kernel, front):
            request = client.execute("1")
            await kernel.has_been_asked(1)
        with anyio.fail_after(30):
            reply = await request

    assert reply.content["ename"] == "RelayEndedError"


async def test_a_connection_info_that_is_of_no_use_is_an_error() -> None:
    with pytest.raises(ValueError, match="unknown"):
        async with relayed({"transport": "carrier pigeon"}):
            pass


def test_messages_without_a_reply_are_dealt_with_when_a_later_one_is() -> None:
    routes = Routes()
    routes.add(message("comm_msg"), [])
    request = message("execute_request")
    routes.add(request, [])

    routes.answered(request.msg_id)

    assert (routes.size, routes.take_unanswered()) == (0, [])


def message(msg_type: str) -> Message:
    return Message("shell", MessageFactory().make(msg_type, {})[1])


def hb_of(front: Front) -> Socket:
    socket = Socket(front.connection_info, "hb")
    socket.send([b"ping"])
    return socket
