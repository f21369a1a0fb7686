from __future__ import annotations

import hmac
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zmq

from kernel_mgmt.testing import fake_kernel_argv

CHANNELS = {
    "shell": zmq.DEALER,
    "control": zmq.DEALER,
    "stdin": zmq.DEALER,
    "iopub": zmq.SUB,
    "hb": zmq.DEALER,
}
DELIMITER = b"<IDS|MSG>"
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals as Windows has none")


class Message(NamedTuple):
    msg_type: str
    parent: dict[str, Any] | None
    content: dict[str, Any]
    buffers: list[bytes]


class Peer:
    """A fake kernel, and raw sockets to it."""

    def __init__(self, argv: Sequence[str], connection_file: Path, info: dict[str, Any]) -> None:
        self.info = info
        self.process = subprocess.Popen(
            [str(connection_file) if item == "{connection_file}" else item for item in argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._context = zmq.Context()
        self._sockets = {name: self._connect(name, kind) for name, kind in CHANNELS.items()}
        self._sent = 0

    def _connect(self, channel: str, kind: int) -> zmq.Socket[bytes]:
        connection = self._context.socket(kind)
        connection.linger = 0
        connection.reconnect_ivl = 5
        connection.rcvtimeo = 10_000
        connection.rcvhwm = 0
        if kind == zmq.SUB:
            connection.subscribe(b"")
        else:
            connection.identity = b"peer"
        if self.info.get("client_curve"):
            connection.curve_serverkey = self.info["curve_publickey"].encode()
            connection.curve_publickey, connection.curve_secretkey = zmq.curve_keypair()
        separator = ":" if self.info["transport"] == "tcp" else "-"
        address = f"{self.info['ip']}{separator}{self.info[f'{channel}_port']}"
        connection.connect(f"{self.info['transport']}://{address}")
        return connection

    def close(self) -> None:
        self._context.destroy(linger=0)
        self.process.kill()
        self.process.communicate(timeout=10)

    def send(
        self, channel: str, msg_type: str, key: str | None = None, **content: Any
    ) -> dict[str, Any]:
        self._sent += 1
        header = {"msg_id": f"{self._sent}", "msg_type": msg_type, "session": "s", "version": "5.4"}
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        signature = _sign(self.info["key"] if key is None else key, parts)
        self._sockets[channel].send_multipart([DELIMITER, signature, *parts])
        return header

    def receive(self, channel: str) -> Message:
        frames = self._sockets[channel].recv_multipart()
        start = frames.index(DELIMITER) + 1
        signature, *parts = frames[start : start + 5]
        assert signature == _sign(self.info["key"], parts)
        header, parent, _, content = map(json.loads, parts)
        return Message(header["msg_type"], parent, content, frames[start + 5 :])

    def is_silent(self, channel: str) -> bool:
        """Whether nothing has come; to be asked after something that would have come later."""
        return not self._sockets[channel].poll(20)

    def ask(self, msg_type: str, channel: str = "shell", **content: Any) -> dict[str, Any]:
        request = self.send(channel, msg_type, **content)
        reply = self.receive(channel)
        assert reply.parent == request
        return reply.content

    def execute(self, code: str, **content: Any) -> tuple[dict[str, Any], list[Message]]:
        """Execute, and return the reply and what was published under it, status aside."""
        request = self.send("shell", "execute_request", code=code, **content)
        published = list(self.published_for(request))
        return self.receive("shell").content, [m for m in published if m.msg_type != "status"]

    def published_for(self, request: dict[str, Any]) -> Iterator[Message]:
        while True:
            message = self.receive("iopub")
            if message.parent == request:
                yield message
                if message.content.get("execution_state") == "idle":
                    return

    def await_status(self, request: dict[str, Any], state: str) -> None:
        while True:
            message = self.receive("iopub")
            if message.parent == request and message.content.get("execution_state") == state:
                return

    def ready(self) -> Peer:
        assert self.receive("iopub").msg_type == "iopub_welcome"
        assert self.receive("iopub").content == {"execution_state": "starting"}
        self.ask("kernel_info_request")
        return self

    def beats(self, within: float = 10) -> bool:
        self._sockets["hb"].send(b"beat")
        return bool(self._sockets["hb"].poll(int(within * 1000))) and bool(
            self._sockets["hb"].recv()
        )

    def last_words(self) -> str:
        return self.process.communicate(timeout=10)[1].decode()


def _sign(key: str, parts: Sequence[bytes]) -> bytes:
    return hmac.new(key.encode(), b"".join(parts), "sha256").hexdigest().encode() if key else b""


Start = Callable[..., Peer]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start fake kernels, on IPC unless told otherwise, and end them after the test."""
    peers: list[Peer] = []

    def start_peer(*switches: str, **changes: Any) -> Peer:
        info = {"transport": "ipc", "ip": f"{tmp_path}/k{len(peers)}", "key": "secret", **changes}
        for number, channel in enumerate(CHANNELS, 1):
            info.setdefault(f"{channel}_port", number)
        connection_file = tmp_path / "kernel.json"
        connection_file.write_text(json.dumps(info))
        peers.append(Peer(fake_kernel_argv(*switches), connection_file, info))
        return peers[-1]

    yield start_peer
    for peer in peers:
        peer.close()


def test_it_answers_every_kind_of_request(start: Start) -> None:
    kernel = start().ready()

    assert kernel.ask("kernel_info_request", "control")["protocol_version"] == "5.4"
    assert kernel.execute("result 42")[0]["status"] == "ok"
    assert kernel.ask("complete_request", code="pri", cursor_pos=3)["matches"] == ["print"]
    assert kernel.ask("inspect_request", code="print", cursor_pos=3)["found"] is True
    assert kernel.ask("history_request")["history"] == [[0, 1, "result 42"]]
    assert kernel.ask("is_complete_request", code="print \\")["status"] == "incomplete"
    assert kernel.ask("comm_info_request")["comms"] == {}
    assert kernel.ask("interrupt_request", "control")["status"] == "ok"
    assert kernel.beats()


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_it_ends_with_code_0_when_asked_to_shut_down(start: Start, channel: str) -> None:
    kernel = start().ready()

    reply = kernel.ask("shutdown_request", channel, restart=True)

    assert reply == {"status": "ok", "restart": True}
    assert kernel.process.wait(timeout=30) == 0


def test_it_speaks_tcp(start: Start) -> None:
    reservations = [socket.create_server(("127.0.0.1", 0)) for _ in CHANNELS]
    ports = [reservation.getsockname()[1] for reservation in reservations]
    for reservation in reservations:
        reservation.close()

    kernel = start(
        transport="tcp",
        ip="127.0.0.1",
        **{f"{channel}_port": port for channel, port in zip(CHANNELS, ports, strict=True)},
    )

    assert kernel.ready().execute("print hello")[0]["status"] == "ok"


def test_it_wraps_what_it_publishes_in_busy_and_idle(start: Start) -> None:
    kernel = start().ready()

    request = kernel.send("shell", "execute_request", code="print hello\nresult 42")

    published = list(kernel.published_for(request))
    assert [message.msg_type for message in published] == [
        "status",
        "execute_input",
        "stream",
        "execute_result",
        "status",
    ]
    assert published[2].content == {"name": "stdout", "text": "hello\n"}
    assert published[3].content["data"] == {"text/plain": "42"}


@pytest.mark.parametrize(
    ("code", "msg_type", "size"),
    [
        ("flood 250 1000", "stream", 250),
        ("display 3 1000", "display_data", 3),
        ("buffers 2 1000", "display_data", 2),
        ('publish clear_output {"wait": true}', "clear_output", 1),
        ("stream stderr text", "stream", 1),
    ],
)
def test_a_command_publishes_what_it_says(
    start: Start, code: str, msg_type: str, size: int
) -> None:
    _, published = start().ready().execute(code)

    outputs = published[1:]
    assert [message.msg_type for message in outputs] == [msg_type] * size
    assert all(message.buffers == [bytes(1000)] for message in outputs if "buffers" in code)


def test_a_command_tells_of_the_process(start: Start) -> None:
    kernel = start().ready()

    _, where = kernel.execute("cwd")
    _, home = kernel.execute("environ HOME")
    _, children = kernel.execute("children")

    assert where[-1].content["data"] == {"text/plain": os.getcwd()}
    assert home[-1].content["data"] == {"text/plain": os.environ["HOME"]}
    assert children[-1].content["data"] == {"text/plain": "[]"}


def test_the_argv_and_the_pid_are_those_of_the_process(start: Start) -> None:
    kernel = start("--orphans", "0").ready()

    _, argv = kernel.execute("argv")
    _, pid = kernel.execute("pid")

    assert "--orphans" in argv[-1].content["data"]["text/plain"]
    assert pid[-1].content["data"]["text/plain"] == str(kernel.process.pid)


def test_an_error_is_replied_and_published(start: Start) -> None:
    reply, published = start().ready().execute("raise NameError x is not defined")

    error = {
        "ename": "NameError",
        "evalue": "x is not defined",
        "traceback": ["NameError: x is not defined"],
    }
    assert reply["status"] == "error"
    assert published[-1] == ("error", published[-1].parent, error, [])


@pytest.mark.parametrize(
    ("code", "name"), [("frobnicate", "SyntaxError"), ("flood 1", "ValueError")]
)
def test_a_command_that_makes_no_sense_is_an_error(start: Start, code: str, name: str) -> None:
    assert start().ready().execute(code)[0]["ename"] == name


def test_an_error_aborts_the_requests_that_are_queued(start: Start) -> None:
    kernel = start().ready()
    kernel.send("shell", "execute_request", code="sleep 0.3\nraise E")
    kernel.send("shell", "execute_request", code="print")

    kernel.send("shell", "kernel_info_request")

    replies = [kernel.receive("shell") for _ in range(3)]
    assert [reply.content["status"] for reply in replies] == ["error", "aborted", "ok"]
    # The next may still come while it aborts, but not all of many.
    assert "ok" in (kernel.execute("print")[0]["status"] for _ in range(50))


@pytest.mark.parametrize("command", ["input", "password"])
def test_input_is_asked_of_the_client(start: Start, command: str) -> None:
    kernel = start().ready()
    request = kernel.send("shell", "execute_request", code=f"{command} Name?", allow_stdin=True)

    question = kernel.receive("stdin")
    kernel.send("stdin", "input_reply", value="Ada")

    assert question.content == {"prompt": "Name?", "password": command == "password"}
    assert question.parent == request
    result = list(kernel.published_for(request))[-2]
    assert result.content["data"] == {"text/plain": "Ada"}


def test_input_fails_where_the_client_cannot_be_asked(start: Start) -> None:
    reply, _ = start().ready().execute("input Name?")

    assert reply["ename"] == "StdinNotImplementedError"


@pytest.mark.parametrize("code", ["sleep 60", "input Name?", "flood 100000000 1"])
def test_an_interrupt_request_ends_what_is_executed(start: Start, code: str) -> None:
    kernel = start().ready()
    request = kernel.send("shell", "execute_request", code=code, allow_stdin=True)
    kernel.await_status(request, "busy")

    kernel.ask("interrupt_request", "control")

    assert kernel.receive("shell").content["ename"] == "KeyboardInterrupt"


@posix
@pytest.mark.parametrize("status", ["error", "abort", "ok"])
def test_sigint_ends_what_is_executed(start: Start, status: str) -> None:
    kernel = start("--interrupted-status", status).ready()
    request = kernel.send("shell", "execute_request", code="sleep 60")
    kernel.await_status(request, "busy")

    kernel.process.send_signal(signal.SIGINT)

    assert kernel.receive("shell").content["status"] == status


@posix
@pytest.mark.parametrize(("behaviour", "code"), [("die", -signal.SIGINT), ("exit", 0)])
def test_sigint_can_end_the_kernel(start: Start, behaviour: str, code: int) -> None:
    kernel = start("--sigint", behaviour).ready()

    kernel.process.send_signal(signal.SIGINT)

    assert kernel.process.wait(timeout=30) == code


@posix
def test_sigint_can_be_ignored(start: Start) -> None:
    kernel = start("--sigint", "ignore").ready()
    request = kernel.send("shell", "execute_request", code="sleep 0.1")
    kernel.await_status(request, "busy")

    kernel.process.send_signal(signal.SIGINT)

    assert kernel.receive("shell").content["status"] == "ok"


@posix
def test_sigterm_can_be_ignored(start: Start) -> None:
    kernel = start("--ignore-sigterm").ready()

    kernel.process.send_signal(signal.SIGTERM)

    assert kernel.execute("print")[0]["status"] == "ok"


@pytest.mark.parametrize("switch", ["reply", "ignore"])
def test_an_interrupt_request_can_have_no_effect(start: Start, switch: str) -> None:
    kernel = start("--interrupt-request", switch).ready()
    kernel.send("shell", "execute_request", code="sleep 0.1")

    kernel.send("control", "interrupt_request")

    assert kernel.receive("shell").content["status"] == "ok"
    assert kernel.is_silent("control") is (switch == "ignore")


def test_an_interrupt_request_can_end_the_kernel(start: Start) -> None:
    kernel = start("--interrupt-request", "exit").ready()

    kernel.send("control", "interrupt_request")

    assert kernel.process.wait(timeout=30) == 1


@pytest.mark.parametrize(("code", "exit_code"), [("exit 7", 7), ("kill", -9)])
def test_a_command_can_end_the_process(start: Start, code: str, exit_code: int) -> None:
    kernel = start().ready()

    kernel.send("shell", "execute_request", code=code)

    assert kernel.process.wait(timeout=30) == exit_code


def test_what_was_published_before_the_exit_arrives(start: Start) -> None:
    kernel = start().ready()

    request = kernel.send("shell", "execute_request", code="flood 1000 100\nexit 7")

    kernel.await_status(request, "busy")
    kernel.receive("iopub")
    assert {kernel.receive("iopub").msg_type for _ in range(1000)} == {"stream"}


@pytest.mark.parametrize("descriptor", [1, 2])
def test_a_command_writes_to_a_file_descriptor(start: Start, descriptor: int) -> None:
    kernel = start().ready()

    kernel.send("shell", "execute_request", code=f"fd {descriptor} hello\nexit 0")

    assert kernel.process.communicate(timeout=10)[descriptor - 1] == b"hello\n"


def test_a_comm_echoes_what_it_is_told(start: Start) -> None:
    kernel = start().ready()
    kernel.send("shell", "comm_open", comm_id="c", target_name="t", data={})

    request = kernel.send("shell", "comm_msg", comm_id="c", data={"x": 1})

    echo = next(m for m in kernel.published_for(request) if m.msg_type == "comm_msg")
    assert echo.content == {"comm_id": "c", "data": {"x": 1}}
    assert kernel.ask("comm_info_request")["comms"] == {"c": {"target_name": "t"}}


def test_a_comm_can_ask_for_input(start: Start) -> None:
    kernel = start().ready()
    kernel.send("shell", "comm_open", comm_id="c", target_name="input", data={})
    request = kernel.send("shell", "comm_msg", comm_id="c", data={"prompt": "name"})

    asked = kernel.receive("stdin")
    kernel.send("stdin", "input_reply", value="me")

    echo = next(m for m in kernel.published_for(request) if m.msg_type == "comm_msg")
    assert asked.parent == request
    assert asked.content == {"prompt": "name", "password": False}
    assert echo.content == {"comm_id": "c", "data": {"value": "me"}}


def test_an_orphan_output_has_an_empty_parent(start: Start) -> None:
    kernel = start().ready()

    kernel.send("shell", "execute_request", code="orphan hello")

    orphan = next(m for m in iter(lambda: kernel.receive("iopub"), None) if m.msg_type == "stream")
    assert orphan.parent == {}


def test_a_spinning_kernel_answers_heartbeats_and_nothing_else(start: Start) -> None:
    kernel = start().ready()
    request = kernel.send("shell", "execute_request", code="spin 0.3")
    kernel.await_status(request, "busy")

    kernel.send("control", "kernel_info_request")

    assert kernel.beats()
    kernel.await_status(request, "idle")
    assert kernel.receive("control").msg_type == "kernel_info_reply"


def test_replies_can_lack_the_status(start: Start) -> None:
    kernel = start("--no-status").ready()

    assert "status" not in kernel.ask("kernel_info_request")
    assert "status" not in kernel.execute("print")[0]


def test_a_reply_can_have_any_status(start: Start) -> None:
    kernel = start("--status-of", "execute=abort").ready()

    assert kernel.execute("print")[0]["status"] == "abort"


def test_the_parent_of_the_welcome_can_be_null(start: Start) -> None:
    welcome = start("--null-parent").receive("iopub")

    assert (welcome.msg_type, welcome.parent) == ("iopub_welcome", None)


def test_the_welcome_can_be_missing(start: Start) -> None:
    kernel = start("--no-welcome")

    assert kernel.receive("iopub").content == {"execution_state": "starting"}


def test_iopub_can_be_late(start: Start) -> None:
    kernel = start("--late-iopub", "0.3")

    kernel.ask("kernel_info_request")

    assert kernel.is_silent("iopub")
    assert kernel.receive("iopub").msg_type == "iopub_welcome"


def test_outputs_of_no_request_can_come_first(start: Start) -> None:
    kernel = start("--orphans", "3")

    first = [kernel.receive("iopub") for _ in range(5)]

    assert [message.msg_type for message in first] == ["iopub_welcome", "status", *["stream"] * 3]
    assert all(message.parent == {} for message in first)


def test_idle_can_be_missing(start: Start) -> None:
    kernel = start("--never-idle").ready()
    kernel.ask("kernel_info_request")
    kernel.ask("kernel_info_request")

    states = [kernel.receive("iopub").content["execution_state"] for _ in range(3)]

    assert states == ["busy"] * 3


def test_a_type_of_request_can_be_ignored(start: Start) -> None:
    kernel = start("--mute", "history_request").ready()
    kernel.send("shell", "history_request")

    reply = kernel.ask("comm_info_request")

    assert "comms" in reply


@pytest.mark.parametrize(("switches", "number"), [([], 2), (["--silent-unknown"], 0)])
def test_an_unknown_request_gets_no_reply(
    start: Start, switches: Sequence[str], number: int
) -> None:
    kernel = start(*switches).ready()
    unknown = kernel.send("shell", "juggle_request")
    known = kernel.send("shell", "kernel_info_request")

    published: list[Message] = []
    while (message := kernel.receive("iopub")).parent != known:
        published.append(message)

    assert kernel.receive("shell").parent == known
    assert len([message for message in published if message.parent == unknown]) == number


def test_kernel_info_can_be_bare(start: Start) -> None:
    kernel = start("--bare-kernel-info", "--protocol-version", "4.1").ready()

    assert kernel.ask("kernel_info_request") == {
        "status": "ok",
        "protocol_version": "4.1",
        "implementation": "fake",
        "language_info": {"name": "fake"},
    }


def test_a_kernel_can_claim_subshells_that_it_has_not(start: Start) -> None:
    kernel = start("--false-features").ready()

    assert "kernel subshells" in kernel.ask("kernel_info_request")["supported_features"]
    assert kernel.ask("create_subshell_request", "control")["status"] == "ok"


def test_an_error_can_look_like_success(start: Start) -> None:
    reply, published = start("--errors-as-ok").ready().execute("raise E text")

    assert reply["status"] == "ok"
    assert published[-1].content == {"name": "stderr", "text": "E: text"}


def test_an_error_can_be_missing_on_iopub(start: Start) -> None:
    reply, published = start("--no-error-message").ready().execute("raise E text")

    assert reply["status"] == "error"
    assert [message.msg_type for message in published] == ["execute_input"]


@pytest.mark.parametrize("control", ["silent", "shutdown"])
def test_control_can_be_silent(start: Start, control: str) -> None:
    kernel = start("--control", control).ready()
    kernel.send("control", "kernel_info_request")

    kernel.ask("kernel_info_request")

    assert kernel.is_silent("control")


def test_control_can_answer_only_shutdown(start: Start) -> None:
    kernel = start("--control", "shutdown").ready()

    assert kernel.ask("shutdown_request", "control")["status"] == "ok"


def test_control_can_answer_only_when_idle(start: Start) -> None:
    kernel = start("--control", "idle").ready()
    request = kernel.send("shell", "execute_request", code="sleep 0.3")
    kernel.await_status(request, "busy")

    kernel.send("control", "kernel_info_request")

    assert kernel.is_silent("control")
    assert kernel.receive("shell").parent == request
    assert kernel.receive("control").msg_type == "kernel_info_reply"


def test_heartbeats_can_be_missing_while_busy(start: Start) -> None:
    kernel = start("--heartbeat", "idle").ready()
    assert kernel.beats()
    request = kernel.send("shell", "execute_request", code="sleep 60")
    kernel.await_status(request, "busy")

    assert not kernel.beats(0.2)


def test_heartbeats_can_be_missing(start: Start) -> None:
    assert not start("--heartbeat", "silent").ready().beats(0.2)


def test_stdin_can_be_missing(start: Start) -> None:
    kernel = start("--no-stdin").ready()

    bound = {
        name
        for name in CHANNELS
        if Path(f"{kernel.info['ip']}-{kernel.info[f'{name}_port']}").exists()
    }

    assert CHANNELS.keys() - bound == {"stdin"}


def test_a_bad_signature_is_ignored(start: Start) -> None:
    kernel = start().ready()
    kernel.send("shell", "kernel_info_request", key="wrong")

    assert kernel.ask("comm_info_request")["comms"] == {}


def test_a_bad_signature_can_wedge_shell(start: Start) -> None:
    kernel = start("--bad-signature", "wedge").ready()
    kernel.send("shell", "kernel_info_request", key="wrong")
    kernel.send("shell", "kernel_info_request")

    kernel.ask("kernel_info_request", "control")

    assert kernel.beats()
    assert kernel.is_silent("shell")


def test_a_bad_signature_can_end_the_kernel(start: Start) -> None:
    kernel = start("--bad-signature", "exit").ready()

    kernel.send("shell", "kernel_info_request", key="wrong")

    assert "bad signature" in kernel.last_words()
    assert kernel.process.returncode == 1


@pytest.mark.parametrize("mute", [True, False])
def test_a_kernel_may_need_a_key(start: Start, mute: bool) -> None:
    kernel = start(*["--mute-without-key"] * mute, key="")
    kernel.receive("iopub")
    kernel.send("shell", "kernel_info_request")

    assert kernel.beats()
    assert kernel.is_silent("shell") is mute


@pytest.mark.parametrize("channel", ["shell", "control"])
def test_shutdown_can_be_acknowledged_and_not_obeyed(start: Start, channel: str) -> None:
    kernel = start("--ignore-shutdown").ready()

    kernel.ask("shutdown_request", channel)

    assert kernel.execute("print")[0]["status"] == "ok"


def test_shutdown_on_shell_can_be_acknowledged_and_not_obeyed(start: Start) -> None:
    kernel = start("--shell-shutdown", "reply").ready()

    kernel.ask("shutdown_request")

    assert kernel.ask("shutdown_request", "control")["status"] == "ok"
    assert kernel.process.wait(timeout=30) == 0


def test_shutdown_on_shell_can_be_ignored(start: Start) -> None:
    kernel = start("--shell-shutdown", "ignore").ready()
    kernel.send("shell", "shutdown_request")

    assert kernel.ask("comm_info_request")["comms"] == {}


def test_shutdown_on_shell_can_go_without_a_reply(start: Start) -> None:
    kernel = start("--shell-shutdown", "exit").ready()

    kernel.send("shell", "shutdown_request")

    assert kernel.process.wait(timeout=30) == 0
    assert kernel.is_silent("shell")


def test_a_kernel_can_end_after_some_requests(start: Start) -> None:
    kernel = start("--exit-after", "3").ready()

    kernel.ask("kernel_info_request")
    kernel.ask("kernel_info_request")

    assert kernel.process.wait(timeout=30) == 1


def test_a_kernel_can_end_at_the_start(start: Start) -> None:
    kernel = start("--exit-at-start", "3", "--stderr", "no licence")

    assert kernel.last_words() == "no licence\n"
    assert kernel.process.returncode == 3


def test_the_first_starts_can_fail(start: Start, tmp_path: Path) -> None:
    switches = ("--fail-starts", "2", str(tmp_path / "count"))

    assert "Address already in use" in start(*switches).last_words()
    assert "Address already in use" in start(*switches).last_words()
    start(*switches).ready()


def test_a_port_in_use_ends_the_kernel(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        kernel = start(transport="tcp", ip="127.0.0.1", shell_port=server.getsockname()[1])

        assert "Address already in use" in kernel.last_words()


def test_a_start_can_be_slow(start: Start, tmp_path: Path) -> None:
    kernel = start("--slow-start", "0.5", "--stderr", "soon")
    assert kernel.process.stderr is not None
    kernel.process.stderr.readline()

    assert not (tmp_path / "k0-1").exists()
    kernel.ready()


def test_a_kernel_can_exit_when_it_is_to_speak_ipc(start: Start) -> None:
    kernel = start("--ipc", "exit")

    assert "IPC" in kernel.last_words()
    assert kernel.process.returncode == 1


def test_a_kernel_can_hang_when_it_is_to_speak_ipc(start: Start) -> None:
    kernel = start("--ipc", "hang")

    assert not kernel.beats(0.2)
    assert kernel.process.poll() is None


@posix
@pytest.mark.parametrize("switch", ["--leave-child", "--leave-session-child"])
def test_children_outlive_the_kernel(start: Start, switch: str) -> None:
    kernel = start(switch).ready()
    _, published = kernel.execute("children")
    (child,) = json.loads(published[-1].content["data"]["text/plain"])
    own_session = os.getsid(child) == child

    kernel.ask("shutdown_request")
    kernel.process.wait(timeout=30)

    os.kill(child, signal.SIGKILL)  # fails if there is none
    assert own_session is (switch == "--leave-session-child")


@pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq has no CURVE")
@pytest.mark.parametrize("ignored", [True, False])
@pytest.mark.parametrize("client_curve", [True, False])
def test_curve_shuts_out_plain_clients_unless_it_is_ignored(
    start: Start, ignored: bool, client_curve: bool
) -> None:
    public, secret = (key.decode() for key in zmq.curve_keypair())
    kernel = start(
        *["--ignore-curve"] * ignored,
        curve_publickey=public,
        curve_secretkey=secret,
        client_curve=client_curve,
    )

    reached = ignored is not client_curve
    assert kernel.beats(10 if reached else 0.5) is reached


def test_running_the_kernel_loads_nothing_that_only_tests_need() -> None:
    code = (
        "import sys, kernel_mgmt.testing.fake_kernel; "
        "print({'pytest', 'anyio', 'msgspec', 'kernel_mgmt.client'} & set(sys.modules))"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert loaded.stdout.strip() == b"set()"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    from kernel_mgmt import testing

    with pytest.raises(AttributeError, match="no attribute 'juggle'"):
        getattr(testing, "juggle")  # noqa: B009
