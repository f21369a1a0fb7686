"""The guardian: ends the kernels of a program that is gone, and keeps their log files short.

It is a program of its own and stays as long as there are kernels, so it imports nothing of
kernel_mgmt and as little else as it can. Its stdin is a socket from which it learns of the kernels;
fields end with a zero byte, and a message ends with an empty field.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOG_BYTES = 4 << 20
KEPT_BYTES = LOG_BYTES // 2

_CHANNEL = 0
_KERNEL_ID = b"KERNEL_MGMT_KERNEL_ID="
_CHUNK = 1 << 16
_FALLOC_FL_COLLAPSE_RANGE = 8
# How often the end of a log is moved that grows as fast as it is moved.
_MOST_MOVES = 10
# Between two looks at logs that grow.
_SECONDS_BETWEEN_LOOKS = 0.1
# The same where the system does not tell that they grow.
_SECONDS_WITHOUT_NOTICE = 10.0
# How long a kernel is looked for that was about to be spawned when its owner went.
_SECONDS_TO_SPAWN = 0.5
_SECONDS_TO_DIE = 1.0


class Kernel:
    """What the guardian is told of one kernel."""

    def __init__(self, kernel_id: bytes) -> None:
        self.kernel_id = kernel_id
        self.persists = False
        self.pid = 0
        self.start_time = b""
        self.files: list[bytes] = []
        self.log = b""


class Register:
    """The kernels that there are, as the owner tells it."""

    def __init__(self) -> None:
        self.kernels: dict[bytes, Kernel] = {}
        self._unread = b""

    def read(self, descriptor: int) -> bool:
        """Take in all that can be read, and return whether more may come."""
        while True:
            try:
                content = os.read(descriptor, _CHUNK)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not content:
                return False
            *messages, self._unread = (self._unread + content).split(b"\0\0")
            for message in messages:
                self._take(*message.split(b"\0"))

    def _take(self, word: bytes, key: bytes = b"", *values: bytes) -> None:
        if word == b"kernel":
            self.kernels[key] = Kernel(values[0])
        elif word == b"end":
            del self.kernels[key]
        elif word == b"file":
            self.kernels[key].files += values
        elif word == b"log":
            self.kernels[key].log = values[0]
            self.kernels[key].files += values
        elif word == b"process":
            self.kernels[key].pid = int(values[0])
            self.kernels[key].start_time = values[1]
        elif word == b"persists":
            self.kernels[key].persists = True


class LogKeeper:
    """Cuts logs that have become long, and looks at them only when they grow."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._directories: dict[bytes, int] = {}
        self._is_told = True
        self._last_look = self._next_look = 0.0
        self.wakeup, write_end = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGIO, do_nothing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGIO])

    def timeout(self) -> float | None:
        """The milliseconds until :meth:`look` is due, ``None`` if it is not."""
        if not self._next_look:
            return None
        return max(0.0, self._next_look - time.monotonic()) * 1000

    def look(self) -> None:
        """Cut what is too long, if it is time to look."""
        with suppress(BlockingIOError):
            while os.read(self.wakeup, _CHUNK):
                self._plan()
        self._follow()
        now = time.monotonic()
        if self._next_look and self._next_look <= now:
            self._last_look, self._next_look = now, 0.0
            # What grows from here on is told again, so it cannot be missed.
            for descriptor in self._directories.values():
                self._ask_for_notice(descriptor)
            for log in self._logs():
                with suppress(OSError):
                    cut(log)
            if self._directories and not self._is_told:
                self._plan()

    def _plan(self) -> None:
        wait = _SECONDS_BETWEEN_LOOKS if self._is_told else _SECONDS_WITHOUT_NOTICE
        self._next_look = self._last_look + wait

    def _logs(self) -> list[bytes]:
        return [kernel.log for kernel in self._register.kernels.values() if kernel.log]

    def _follow(self) -> None:
        directories = {os.path.dirname(log) for log in self._logs()}
        for gone in self._directories.keys() - directories:
            os.close(self._directories.pop(gone))
        for new in directories - self._directories.keys():
            with suppress(OSError):
                self._directories[new] = descriptor = os.open(new, os.O_RDONLY)
                self._ask_for_notice(descriptor)
                self._plan()

    def _ask_for_notice(self, descriptor: int) -> None:
        # SIGIO, once, when a file in the directory is written to.
        try:
            fcntl.fcntl(descriptor, fcntl.F_NOTIFY, fcntl.DN_MODIFY)
        except (AttributeError, OSError):
            self._is_told = False


def do_nothing(*_: object) -> None:
    """Handle a signal that needs no more than to wake up."""


def collapse(descriptor: int, length: int) -> bool:
    """Take away about so many bytes from the beginning of a file, whatever is appended meanwhile.

    :return: whether the file system can do that, as ext4 and XFS can
    """
    # It costs 0.4 MB, which are spared as long as no log has become long.
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        fallocate = getattr(libc, "fallocate64", libc.fallocate)
    except (ImportError, OSError, AttributeError):
        return False
    length -= length % os.fstatvfs(descriptor).f_frsize
    start_and_length = ctypes.c_int64(0), ctypes.c_int64(length)
    if not length or fallocate(descriptor, _FALLOC_FL_COLLAPSE_RANGE, *start_and_length):
        return False
    half_a_line = os.pread(descriptor, _CHUNK, 0).find(b"\n")
    os.pwrite(descriptor, b" " * half_a_line, 0)
    return True


def cut(
    path: bytes,
    limit: int = LOG_BYTES,
    kept: int = KEPT_BYTES,
    collapse: Callable[[int, int], bool] = collapse,
) -> None:
    """Keep the last lines of a file that others append to, if it is longer than the limit.

    Where its beginning cannot be taken away, what is written in the last instant is lost.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        size = os.fstat(descriptor).st_size
        if size > limit and not collapse(descriptor, size - kept):
            move_end(descriptor, limit, kept)
    finally:
        os.close(descriptor)


def move_end(descriptor: int, limit: int, kept: int) -> None:
    """Write the last lines of a file over the first, and cut off the rest."""
    target, moves = limit, 0
    # It may grow meanwhile by more than is kept; then its end is another.
    while target >= limit and moves < _MOST_MOVES:
        source, target, moves = os.fstat(descriptor).st_size - kept, 0, moves + 1
        source += os.pread(descriptor, _CHUNK, source).find(b"\n") + 1
        while target < limit and (chunk := os.pread(descriptor, _CHUNK, source)):
            target += os.pwrite(descriptor, chunk, target)
            source += len(chunk)
    os.ftruncate(descriptor, target)


def end_kernels(kernels: list[Kernel]) -> None:
    """End kernels with all their processes, and remove their files."""
    ending = select.poll()
    watched: list[int] = []
    for kernel in kernels:
        if kernel.pid and start_time_of(kernel.pid) in (b"", kernel.start_time):
            watched += watch_process(kernel.pid)
            kill_group(kernel.pid)
    watched += kill_carriers(kernels)
    deadline = time.monotonic() + _SECONDS_TO_DIE
    # A process that has not quite ended could write its files anew.
    for descriptor in watched:
        ending.register(descriptor, select.POLLIN)
    while watched and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in ending.poll(left * 1000):
            ending.unregister(descriptor)
            watched.remove(descriptor)
    for kernel in kernels:
        remove(kernel.files)


def kill_carriers(kernels: list[Kernel]) -> list[int]:
    """End every process that carries the id of one of the kernels in its environment.

    :return: descriptors that are readable when they have ended
    """
    carried = {_KERNEL_ID + kernel.kernel_id for kernel in kernels}
    being_spawned = any(not kernel.pid for kernel in kernels)
    deadline = time.monotonic() + (_SECONDS_TO_SPAWN if being_spawned else 0.0)
    watched: dict[int, list[int]] = {}
    while True:
        # One that is forked while we look escapes a round, but not the next.
        new = [pid for pid in pids() if pid not in watched and carries(pid, carried)]
        for pid in new:
            watched[pid] = kill_carrier(pid, carried)
        if not new:
            if time.monotonic() >= deadline:
                return [descriptor for each in watched.values() for descriptor in each]
            time.sleep(0.01)


def kill_carrier(pid: int, carried: set[bytes]) -> list[int]:
    """End a process that carries one of the ids, but none that was given its pid just now."""
    watched = watch_process(pid)
    if carries(pid, carried):
        with suppress(OSError):
            if sys.platform == "linux" and watched:
                signal.pidfd_send_signal(watched[0], signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGKILL)
    return watched


def kill_group(pid: int) -> None:
    """End a process and its group."""
    with suppress(OSError):
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(pid, signal.SIGKILL)


def pids() -> list[int]:
    """The processes of this machine, where there is ``/proc``."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return []


def carries(pid: int, carried: set[bytes]) -> bool:
    """Whether the environment of a process has one of these entries."""
    return not carried.isdisjoint(read(f"/proc/{pid}/environ").split(b"\0"))


def start_time_of(pid: int) -> bytes:
    """When a process was started, as ``/proc/<pid>/stat`` has it; nothing if there is none."""
    fields = read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()
    return fields[19] if fields else b""


def read(path: str) -> bytes:
    """The content of a file; nothing if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def remove(paths: list[bytes]) -> None:
    """Remove files, and directories that hold nothing but files, as far as that can be done."""
    for path in paths:
        with suppress(OSError):
            if os.path.isdir(path) and not os.path.islink(path):
                remove([os.path.join(path, name) for name in os.listdir(path)])
                os.rmdir(path)
            else:
                os.unlink(path)


def watch_process(pid: int) -> list[int]:
    """A descriptor that is readable when the process has ended; none if that cannot be had."""
    with suppress(AttributeError, OSError):
        if sys.platform == "linux":
            return [os.pidfd_open(pid)]
        queue = select.kqueue()
        exits = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
        queue.control([exits], 0)
        return [os.dup(queue.fileno())]
    return []


def guard(owner: int) -> None:
    """Guard the kernels of the process ``owner`` until it is gone, and end them then."""
    register = Register()
    keeper = LogKeeper(register)
    watched = watch_process(owner)
    poll = select.poll()
    for descriptor in (_CHANNEL, keeper.wakeup, *watched):
        poll.register(descriptor, select.POLLIN)
    # The other end of the socket may be held by a fork of the owner, hence the process itself is
    # watched; and it may have gone before it was.
    has_gone = os.getppid() != owner
    while not has_gone:
        ready = {descriptor for descriptor, _ in poll.poll(keeper.timeout())}
        has_gone = not register.read(_CHANNEL) or not ready.isdisjoint(watched)
        keeper.look()
    register.read(_CHANNEL)
    end_kernels([kernel for kernel in register.kernels.values() if not kernel.persists])
    for key in [key for key, kernel in register.kernels.items() if not kernel.persists]:
        del register.kernels[key]
    keep_logs(register, keeper)


def keep_logs(register: Register, keeper: LogKeeper) -> None:
    """Keep the logs of the kernels that outlive their owner short, until they have all ended."""
    poll = select.poll()
    poll.register(keeper.wakeup, select.POLLIN)
    keys: dict[int, bytes] = {}
    for key, kernel in list(register.kernels.items()):
        watched = watch_process(kernel.pid) if kernel.pid else []
        if watched and start_time_of(kernel.pid) == kernel.start_time:
            keys[watched[0]] = key
            poll.register(watched[0], select.POLLIN)
        else:
            del register.kernels[key]
    while register.kernels:
        keeper.look()
        for descriptor, _ in poll.poll(keeper.timeout()):
            if descriptor in keys:
                poll.unregister(descriptor)
                del register.kernels[keys[descriptor]]


def main() -> None:
    """Guard the kernels of the process that the last argument names."""
    os.closerange(3, 4096)
    os.chdir("/")
    os.set_blocking(_CHANNEL, False)
    guard(int(sys.argv[-1]))
