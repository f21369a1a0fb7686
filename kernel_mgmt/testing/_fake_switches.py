"""The switches of the fake kernel, and the misbehaviour that comes before the first message."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType


class Switches(argparse.Namespace):
    """What the command line says, parsed."""

    connection_file: str
    slow_start: float
    exit_at_start: int | None
    stderr: str | None
    fail_starts: Sequence[str] | None
    leave_child: bool
    leave_session_child: bool
    ipc: str
    handshake: str
    ignore_curve: bool
    mute_without_key: bool
    welcome: bool
    late_iopub: float
    orphans: int
    null_parent: bool
    protocol_version: str
    bare_kernel_info: bool
    false_features: bool
    status: bool
    status_of: Mapping[str, str]
    never_idle: bool
    mute: Sequence[str]
    silent_unknown: bool
    errors_as_ok: bool
    error_message: bool
    control: str
    heartbeat: str
    stdin: bool
    sigint: str
    ignore_sigterm: bool
    interrupt_request: str
    interrupted_status: str
    ignore_shutdown: bool
    shell_shutdown: str
    bad_signature: str
    exit_after: int | None


def parse_switches(arguments: Sequence[str] | None = None) -> Switches:
    """Parse a command line; ``None`` means that of the process."""
    switches = make_parser().parse_args(arguments, Switches())
    switches.status_of = dict(item.split("=", 1) for item in switches.status_of)
    return switches


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line, which knows every switch."""
    parser = argparse.ArgumentParser(prog="fake_kernel", description="A kernel that can misbehave.")
    parser.add_argument("-f", "--connection-file", required=True)
    _add_start(parser)
    _add_iopub(parser)
    _add_replies(parser)
    _add_channels(parser)
    _add_end(parser)
    return parser


def _add_start(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("start").add_argument
    add("--slow-start", type=float, default=0, metavar="S", help="bind only after S seconds")
    add("--exit-at-start", type=int, metavar="CODE", help="exit before anything is bound")
    add("--stderr", metavar="TEXT", help="write TEXT to stderr at the start")
    add(
        "--fail-starts",
        nargs=2,
        metavar=("N", "FILE"),
        help="exit as if a port were in use the first N times; FILE keeps count",
    )
    add("--leave-child", action="store_true", help="start a process of the kernel's group")
    add("--leave-session-child", action="store_true", help="start a process of its own session")
    add("--ipc", choices=("speak", "exit", "hang"), default="speak", help="when asked for IPC")
    add(
        "--handshake",
        choices=("exit", "hang", "dealer", "req"),
        default="exit",
        help="when given a registration file: exit or hang, as kernels do that know none; register "
        "over a socket of this kind",
    )
    add("--ignore-curve", action="store_true", help="start in plain text all the same")
    add("--mute-without-key", action="store_true", help="answer nothing if the key is empty")


def _add_iopub(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("iopub").add_argument
    add("--no-welcome", dest="welcome", action="store_false", help="send no iopub_welcome")
    add("--late-iopub", type=float, default=0, metavar="S", help="bind iopub S seconds late")
    add("--orphans", type=int, default=0, metavar="N", help="send N first outputs of no parent")
    add("--null-parent", action="store_true", help="send null for the parent header of those")
    add("--never-idle", action="store_true", help="publish no status idle")


def _add_replies(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("replies").add_argument
    add("--protocol-version", default="5.4", metavar="V", help="claim a protocol version")
    add("--bare-kernel-info", action="store_true", help="leave out what kernels leave out")
    add("--false-features", action="store_true", help="claim a debugger and subshells")
    add("--no-status", dest="status", action="store_false", help="leave status out of replies")
    add(
        "--status-of",
        action="append",
        default=[],
        metavar="NAME=STATUS",
        help="reply to a request with this status, as in execute=abort",
    )
    add("--mute", action="append", default=[], metavar="TYPE", help="ignore a type of request")
    add("--silent-unknown", action="store_true", help="no busy and idle for unknown requests")
    add("--errors-as-ok", action="store_true", help="fail with status ok, and text on a stream")
    add("--no-error-message", dest="error_message", action="store_false", help="no error on iopub")


def _add_channels(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("control, shell, stdin and heartbeat").add_argument
    add(
        "--control",
        choices=("answer", "idle", "shutdown", "silent"),
        default="answer",
        help="answer control always, only when idle, only shutdown, never",
    )
    add(
        "--heartbeat",
        choices=("always", "idle", "silent"),
        default="always",
        help="answer heartbeats always, only when idle, never",
    )
    add("--no-stdin", dest="stdin", action="store_false", help="never bind stdin")
    add(
        "--bad-signature",
        choices=("ignore", "wedge", "exit"),
        default="ignore",
        help="after a bad signature: go on, never read shell again, exit",
    )
    add("--exit-after", type=int, metavar="N", help="exit after N requests on shell")


def _add_end(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("interrupt and shutdown").add_argument
    add(
        "--sigint",
        choices=("interrupt", "ignore", "exit", "die"),
        default="interrupt",
        help="on SIGINT: interrupt what is executed, nothing, exit with 0, die of it",
    )
    add("--ignore-sigterm", action="store_true", help="stay when SIGTERM comes")
    add(
        "--interrupt-request",
        choices=("obey", "reply", "ignore", "exit"),
        default="obey",
        help="interrupt and reply, only reply, nothing, exit with 1",
    )
    add(
        "--interrupted-status",
        choices=("error", "abort", "aborted", "ok"),
        default="error",
        help="the status of what was interrupted",
    )
    add("--ignore-shutdown", action="store_true", help="reply to shutdown, and stay")
    add(
        "--shell-shutdown",
        choices=("obey", "reply", "exit", "ignore"),
        default="obey",
        help="shutdown on shell: reply and exit, only reply, only exit, nothing",
    )


def misbehave_at_start(switches: Switches, connection_info: Mapping[str, object]) -> list[int]:
    """Do what the switches say for the start; it may exit.

    :return: the process ids of the children that were started
    """
    if switches.stderr:
        os.write(2, f"{switches.stderr}\n".encode())
    if switches.exit_at_start is not None:
        sys.exit(switches.exit_at_start)
    if switches.fail_starts:
        _fail_first_starts(int(switches.fail_starts[0]), switches.fail_starts[1])
    if switches.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    children: list[int] = []
    if switches.leave_child:
        children.append(_start_child(new_session=False))
    if switches.leave_session_child:
        children.append(_start_child(new_session=True))
    if connection_info["transport"] == "ipc":
        _exit_or_hang(switches.ipc, "this kernel does not speak IPC")
    if "registration_port" in connection_info:
        _exit_or_hang(switches.handshake, "there is no shell_port in the connection file")
    time.sleep(switches.slow_start)
    return children


def _exit_or_hang(behaviour: str, reason: str) -> None:
    if behaviour == "exit":
        sys.exit(f"fake kernel: {reason}")
    while behaviour == "hang":
        time.sleep(60)


def _fail_first_starts(number: int, count_file: str) -> None:
    with open(count_file, "ab") as count:
        count.write(b"x")
        if count.tell() <= number:
            sys.exit("fake kernel: Address already in use")


def _start_child(*, new_session: bool) -> int:
    # It ends by itself one day, should the test that started it not end it.
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    return subprocess.Popen(argv, start_new_session=new_session).pid


def wake_on_sigint(behaviour: str) -> socket.socket:
    """Set up what SIGINT does.

    :return: a socket that becomes readable when what is executed is to be interrupted
    """
    wakeup, written_by_signals = socket.socketpair()
    written_by_signals.setblocking(False)
    descriptor = written_by_signals.detach()
    # Another thread may take the signal, and the main one, which runs the handler, must wake up.
    signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)
    if behaviour == "interrupt":
        signal.signal(signal.SIGINT, _do_nothing)
    elif behaviour == "exit":
        signal.signal(signal.SIGINT, _exit)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN if behaviour == "ignore" else signal.SIG_DFL)
    return wakeup


# A handler there must be: without one the default would be the end of the process.
def _do_nothing(_signum: int, _frame: FrameType | None) -> None:
    pass


def _exit(_signum: int, _frame: FrameType | None) -> None:
    os._exit(0)
