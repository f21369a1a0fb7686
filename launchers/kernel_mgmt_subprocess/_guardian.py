"""Tell the guardian, a small process, which kernels to end if this program is gone before them."""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from functools import cache
from itertools import count
from signal import SIGKILL, valid_signals
from threading import RLock

from ._carriers import KERNEL_ID_VARIABLE

logger = logging.getLogger(__name__)

# Imported, unlike run as a file, it is compiled once and not at each start.
_PROGRAM = "import sys; sys.path.append(sys.argv[1]); import _guardian_main; _guardian_main.main()"
# Far more than a guardian needs to read what it is told; one that takes longer is replaced.
_SECONDS_TO_TELL = 1.0
# An interpreter on its way up takes a processor from the kernel, and from the event loop that starts
# it. So the guardian is at first a shell that waits at a gate, and a program of a moment needs no more
# of it. The gate opens after so long, when the guardian has much to read, or with the owner's end.
_SHELL = "/bin/sh"
# The wait always fails, which would end a shell that is told to end where anything does.
_WAIT_AT_GATE = 'read -r _ <&3 || :; exec "$@" 3<&-'
_SECONDS_AT_GATE = 1.0
_BYTES_AT_GATE = 1 << 16
# What a message takes of the channel besides (bytes, measured).
_OVERHEAD = 768


class Guard:
    """Speaks with the guardian about one kernel, until the kernel and its files are gone."""

    def __init__(self, guardian: Guardian, key: str) -> None:
        self._guardian = guardian
        self._key = key
        self._left = {"process", "files"}

    def remove_files_at_end(self, paths: Iterable[str]) -> None:
        """Have files removed that may exist from now on, or directories of files."""
        self._guardian.tell(self._key, "file", *map(os.path.abspath, paths))

    def keep_log_short(self, path: str) -> None:
        """Have a file cut when it grows too long, and removed at the end."""
        self._guardian.tell(self._key, "log", os.path.abspath(path))

    def end_process(self, pid: int, start_time: int | None) -> None:
        """Have a process ended, with its group, besides those that carry the kernel's id."""
        self._guardian.tell(self._key, "process", pid, "?" if start_time is None else start_time)

    def let_persist(self) -> None:
        """Have the kernel outlive this program; only its log is kept short."""
        self._guardian.tell(self._key, "persists")

    def check(self) -> None:
        """Replace a guardian that has died."""
        if self._left:
            self._guardian.check()

    def process_has_ended(self) -> None:
        """Take note that the process has ended, and all that belongs to it."""
        self._is_gone("process")

    def files_are_removed(self) -> None:
        """Take note that the files have been removed."""
        self._is_gone("files")

    def release(self) -> None:
        """Let the guardian forget the kernel; with the last one, the guardian ends."""
        self._left.clear()
        self._guardian.forget(self._key)

    def _is_gone(self, what: str) -> None:
        if what in self._left:
            self._left.discard(what)
            if not self._left:
                self.release()


class Guardian:
    """Holds the guardian of this program: a process that is there as long as there are kernels.

    Everything that it was told is kept, so that it can be replaced if it dies.

    :param shell: what waits at the gate, if it is there
    """

    def __init__(self, shell: str = _SHELL) -> None:
        self._owner = os.getpid()
        self._shell = shell
        self._keys = count()
        self._told: dict[str, list[bytes]] = {}
        self._to_do: deque[tuple[str, bytes | None]] = deque()
        self._lock = RLock()
        self._is_at_work = False
        self._pid = 0
        self._channel = -1
        self._gate = -1
        self._unread = 0

    @property
    def pid(self) -> int | None:
        """The process id of the guardian, if there is one."""
        return self._pid or None

    def guard(self, kernel_id: str) -> Guard:
        """Have a kernel ended that is about to be spawned.

        What carries its id in the environment will be ended, whether or not more is told.
        """
        key = str(next(self._keys))
        self._do(key, _message("kernel", key, kernel_id))
        return Guard(self, key)

    def tell(self, key: str, word: str, *values: object) -> None:
        """Tell more about a kernel."""
        self._do(key, _message(word, key, *values))

    def check(self) -> None:
        """Replace the process if it has died."""
        self._do("", _message("check"))

    def forget(self, key: str) -> None:
        """Have a kernel left alone."""
        self._do(key, None)

    def disown(self) -> None:
        """Leave the guardian to the program that this one was forked from."""
        self._close_channel()

    def _do(self, key: str, message: bytes | None) -> None:
        if os.getpid() != self._owner:
            return
        with self._lock:
            self._to_do.append((key, message))
            # A manager that the garbage collector finds may have a word in the midst of another's.
            if self._is_at_work:
                return
            self._is_at_work = True
            try:
                while self._to_do:
                    self._take_up(*self._to_do.popleft())
            finally:
                self._is_at_work = False

    def _take_up(self, key: str, message: bytes | None) -> None:
        is_new = False
        if message is None:
            if self._told.pop(key, None) is None:
                return
            message = _message("end", key)
        elif key:
            is_new = key not in self._told
            self._told.setdefault(key, []).append(message)
        if not self._told:
            self._stop()
        elif (is_new or self._pid) and not self._send(message):
            self._stop()
            self._start()

    def _start(self) -> None:
        if not hasattr(os, "posix_spawn") or not sys.executable or hasattr(sys, "frozen"):
            return
        try:
            self._spawn_at_gate()
        except (OSError, NotImplementedError) as error:
            _warn(error)
            return
        if not self._send(b"".join(message for told in self._told.values() for message in told)):
            self._stop()
            _warn("its guardian has ended at once")

    def _spawn_at_gate(self) -> None:
        with ExitStack() as stack:
            ours, theirs = map(stack.enter_context, socket.socketpair())
            gate, their_gate = map(stack.enter_context, socket.socketpair())
            _time_out(their_gate, _SECONDS_AT_GATE)
            self._pid = _spawn(theirs.fileno(), their_gate.fileno(), self._shell)
            self._channel, self._gate, self._unread = ours.detach(), gate.detach(), 0

    def _send(self, messages: bytes) -> bool:
        if self._channel < 0:
            return False
        self._unread += len(messages) + _OVERHEAD
        if self._unread > _BYTES_AT_GATE:
            self._open_gate()
        # Not os.write: a program that does not ignore SIGPIPE would be ended by it. And no socket
        # is kept, which would warn when the interpreter exits.
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, self._channel)
        try:
            channel.settimeout(_SECONDS_TO_TELL)
            channel.sendall(messages, getattr(socket, "MSG_NOSIGNAL", 0))
        except OSError:
            return False
        finally:
            channel.detach()
        return True

    def _stop(self) -> None:
        pid, self._pid = self._pid, 0
        if pid:
            # Somebody else may have reaped it, and its pid may be that of another process.
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    os.kill(pid, SIGKILL)
                    os.waitpid(pid, 0)
        # Not before: to the guardian, the end of the channel is the end of this program.
        self._close_channel()

    def _open_gate(self) -> None:
        gate, self._gate = self._gate, -1
        if gate >= 0:
            os.close(gate)

    def _close_channel(self) -> None:
        self._open_gate()
        channel, self._channel = self._channel, -1
        if channel >= 0:
            os.close(channel)


def this_guardian() -> Guardian:
    """Return the guardian of this program, which may have no process yet."""
    return _guardian


def _warn(reason: object) -> None:
    logger.warning("Kernels will outlive this program if it is killed: %s", reason)


def _message(*fields: object) -> bytes:
    return b"".join(os.fsencode(str(field)) + b"\0" for field in (*fields, ""))


def _time_out(their_gate: socket.socket, seconds: float) -> None:
    """Have whoever reads from a socket give up in time, whatever program that is."""
    timeval = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
    their_gate.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)


def _spawn(channel: int, gate: int, shell: str) -> int:
    environment = {name: value for name, value in os.environ.items() if name != KERNEL_ID_VARIABLE}
    directory, owner = os.path.dirname(__file__), str(os.getpid())
    argv = [sys.executable, "-I", "-S", "-c", _PROGRAM, directory, owner]
    if os.access(shell, os.X_OK):
        argv = [shell, "-c", _WAIT_AT_GATE, "guardian", *argv]
    # Either may be where the other is to be.
    spare = max(channel, gate, 3) + 1
    return os.posix_spawn(
        argv[0],
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, gate, spare),
            (os.POSIX_SPAWN_DUP2, channel, 0),
            (os.POSIX_SPAWN_DUP2, spare, 3),
            (os.POSIX_SPAWN_CLOSE, spare),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Not even until it could ignore a signal may it be ended by one.
        setsigmask=_all_signals(),
    )


@cache
def _all_signals() -> set[int]:
    return {int(signum) for signum in valid_signals()}


def _forget() -> None:
    global _guardian
    _guardian.disown()
    _guardian = Guardian()


_guardian = Guardian()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
