"""A kernel in pure Python that can misbehave as real kernels do, for tests.

It is a process of its own, up in some 60 ms, and speaks the Jupyter messaging protocol over TCP and
IPC. It executes the commands that :mod:`kernel_mgmt.testing._fake_commands` lists::

    argv = fake_kernel_argv("--ignore-shutdown", "--slow-start", "2")

``python -m kernel_mgmt.testing.fake_kernel --help`` lists the switches; without any it behaves well.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any

import zmq

from ._fake_commands import Exit, Interrupted
from ._fake_replies import FALSE_FEATURES, REPLIES
from ._fake_sockets import BadSignature, FakeSockets, Received
from ._fake_switches import Switches, misbehave_at_start, parse_switches, wake_on_sigint


def fake_kernel_argv(*switches: str) -> list[str]:
    """Return the argv of a kernelspec for a fake kernel with these switches."""
    return [sys.executable, "-m", __name__, "-f", "{connection_file}", *switches]


class FakeKernel:
    """Serves all channels but the heartbeat from one thread.

    While a command waits, control, iopub and stdin are served on.

    :ivar abort_queued: whether the execute requests that are queued are to be aborted
    :ivar aborting: whether this is going on
    :ivar interrupted: whether what is executed is to stop
    :ivar exit_code: the exit code, once the kernel is to end after its reply
    """

    def __init__(self, switches: Switches, sockets: FakeSockets, children: Sequence[int]) -> None:
        self.switches = switches
        self.children = children
        self.history: list[str] = []
        self.comms: dict[str, str] = {}
        self.abort_queued = False
        self.aborting = False
        self.exit_code: int | None = None
        self.interrupted = False
        self._sockets = sockets
        self._replies = {**REPLIES, **(FALSE_FEATURES if switches.false_features else {})}
        self._no_parent = b"null" if switches.null_parent else b"{}"
        self._unseen = True
        self._answer: str | None = None
        self._served = 0
        self._iopub_due: float | None = None
        self._bind()
        self._idle, self._busy = zmq.Poller(), zmq.Poller()
        self._attend_to: dict[zmq.Socket[bytes] | int, Callable[[], None]] = {
            sockets["control"]: lambda: self._serve("control"),
            sockets["iopub"]: self._welcome,
            sockets["stdin"]: self._take_answer,
            sockets["hb"]: self._beat,
            sockets["shell"]: lambda: self._serve("shell"),
        }
        self._register()

    def _bind(self) -> None:
        for channel in ("shell", "control", "stdin", "hb"):
            if channel != "stdin" or self.switches.stdin:
                self._sockets.bind(channel)
        if self.switches.late_iopub:
            self._iopub_due = time.monotonic() + self.switches.late_iopub
        else:
            self._sockets.bind("iopub")
        if self._sockets.registers and not self._sockets.register(self.switches.handshake):
            sys.exit("fake kernel: the launcher has not acknowledged the registration")

    def _register(self) -> None:
        sockets, switches = self._sockets, self.switches
        self._wakeup = wake_on_sigint(switches.sigint)
        self._attend_to[self._wakeup.fileno()] = self._wake_up
        idle, busy = [sockets["iopub"]], [sockets["iopub"], sockets["stdin"]]
        if switches.control != "silent":
            idle.insert(0, sockets["control"])
        if switches.control in ("answer", "shutdown"):
            busy.insert(0, sockets["control"])
        if switches.heartbeat == "idle":
            idle.append(sockets["hb"])
        for source in (self._wakeup.fileno(), *idle, sockets["shell"]):
            self._idle.register(source, zmq.POLLIN)
        for source in (self._wakeup.fileno(), *busy):
            self._busy.register(source, zmq.POLLIN)
        if switches.heartbeat == "always":
            sockets.beat_in_background()

    def serve(self) -> None:
        """Serve until the kernel is to end.

        :raises Exit: then, with the exit code
        """
        while True:
            self._attend(self._idle)

    def sleep(self, seconds: float) -> None:
        """Attend to other channels for a while.

        :raises Interrupted: as soon as the kernel is interrupted
        """
        end = time.monotonic() + seconds
        self._attend(self._busy, 0)
        while not self.interrupted and (left := end - time.monotonic()) > 0:
            self._attend(self._busy, left)
        self._check_interrupt()

    def ask(self, request: Received, prompt: str, *, password: bool) -> str:
        """Ask the user of the client that sent the request for a line.

        :raises Interrupted: as soon as the kernel is interrupted
        """
        while self._sockets.receive("stdin"):
            pass
        self._answer = None
        while not self._send_input_request(request, prompt, password):
            self.sleep(0.01)
        while not self.interrupted and self._answer is None:
            self._attend(self._busy)
        self._check_interrupt()
        return self._answer or ""

    def _send_input_request(self, request: Received, prompt: str, password: bool) -> bool:
        content = {"prompt": prompt, "password": password}
        route, parent = request.identities, request.raw_header
        try:
            self._sockets.send("stdin", route, "input_request", content, parent)
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def _check_interrupt(self) -> None:
        if self.interrupted:
            raise Interrupted

    def publish(
        self,
        msg_type: str,
        content: Mapping[str, Any],
        parent: bytes | None = None,
        buffers: Sequence[bytes] = (),
    ) -> None:
        """Publish a message on iopub.

        :param parent: the parent header in JSON; ``None`` for a message that has none
        """
        topic = f"kernel.fake.{msg_type}".encode()
        self._sockets.send("iopub", [topic], msg_type, content, parent or self._no_parent, buffers)

    def _attend(self, poller: zmq.Poller, seconds: float | None = None) -> None:
        if self._iopub_due is not None:
            until_due = self._iopub_due - time.monotonic()
            if until_due <= 0:
                self._iopub_due = None
                self._sockets.bind("iopub")
            elif seconds is None or until_due < seconds:
                seconds = until_due
        for source, _ in poller.poll(None if seconds is None else ceil(seconds * 1000)):
            self._attend_to[source]()

    def _wake_up(self) -> None:
        self._wakeup.recv(1024)
        self.interrupted = True

    def _beat(self) -> None:
        self._sockets["hb"].send_multipart(self._sockets["hb"].recv_multipart())

    def _welcome(self) -> None:
        subscription = self._sockets["iopub"].recv()
        if not subscription.startswith(b"\x01"):
            return
        topic = subscription[1:]
        if self.switches.welcome:
            content = {"subscription": topic.decode(errors="replace")}
            self._sockets.send("iopub", [topic], "iopub_welcome", content, self._no_parent)
        if self._unseen:
            self._unseen = False
            self.publish("status", {"execution_state": "starting"})
            for _ in range(self.switches.orphans):
                self.publish("stream", {"name": "stderr", "text": "output of no request\n"})

    def _take_answer(self) -> None:
        if reply := self._sockets.receive("stdin"):
            self._answer = str(reply.content.get("value", ""))

    def _serve(self, channel: str) -> None:
        try:
            request = self._sockets.receive(channel)
        except BadSignature:
            self._refuse(channel)
            return
        if request is None or self._ignores(request):
            return
        self.publish("status", {"execution_state": "busy"}, request.raw_header)
        self._reply(request)
        if not self.switches.never_idle:
            self.publish("status", {"execution_state": "idle"}, request.raw_header)
        if self.abort_queued:
            self._abort_queued()
        self._served += channel == "shell"
        if self._served == self.switches.exit_after:
            self.exit_code = 1
        if self.exit_code is not None:
            raise Exit(self.exit_code)

    def _reply(self, request: Received) -> None:
        handler = self._replies.get(request.msg_type)
        content = handler(self, request) if handler else None
        if content is None:
            return
        name = request.msg_type.removesuffix("_request")
        content["status"] = self.switches.status_of.get(name, content["status"])
        if not self.switches.status:
            del content["status"]
        route = request.identities
        self._sockets.send(request.channel, route, f"{name}_reply", content, request.raw_header)

    def _abort_queued(self) -> None:
        self.abort_queued, self.aborting = False, True
        while self._sockets["shell"].poll(0):
            self._serve("shell")
        self.aborting = False

    def _refuse(self, channel: str) -> None:
        os.write(2, f"fake kernel: a message on {channel} has a bad signature\n".encode())
        if self.switches.bad_signature == "exit":
            raise Exit(1)
        if self.switches.bad_signature == "wedge" and self._sockets["shell"] in self._idle:
            self._idle.unregister(self._sockets["shell"])

    def _ignores(self, request: Received) -> bool:
        msg_type, switches = request.msg_type, self.switches
        on_control = request.channel == "control"
        return (
            msg_type in switches.mute
            or (switches.silent_unknown and msg_type not in self._replies)
            or (switches.mute_without_key and not self._sockets.key)
            or (msg_type == "interrupt_request" and switches.interrupt_request == "ignore")
            or (
                msg_type == "shutdown_request"
                and not on_control
                and switches.shell_shutdown == "ignore"
            )
            or (msg_type != "shutdown_request" and on_control and switches.control == "shutdown")
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a fake kernel until it ends.

    :param arguments: the command line; that of the process by default
    """
    switches = parse_switches(arguments)
    with open(switches.connection_file, "rb") as connection_file:
        connection_info = json.load(connection_file)
    children = misbehave_at_start(switches, connection_info)
    sockets = FakeSockets(connection_info, curve=not switches.ignore_curve)
    try:
        FakeKernel(switches, sockets, children).serve()
    except zmq.ZMQError as error:
        sys.exit(f"fake kernel: {error}")
    except Exit as exit_:
        sockets.close()
        # What the interpreter would still tidy up costs more than the kernel's whole start.
        os._exit(exit_.code)


if __name__ == "__main__":
    main()
