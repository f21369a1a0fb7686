"""Start a process with the signals as a kernel expects them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from subprocess import Popen
from typing import Any

# Popen resets what is ignored for SIGPIPE, but not for SIGINT, and the right to do so lies with
# the main thread alone. So a program that ignores SIGINT, such as one that a shell has started in
# the background, lets this become the kernel.
_STOP_IGNORING_SIGINT = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    sys.exit(f"{sys.argv[1]}: {error.strerror}")
"""

_left: dict[int, Callable[[], None] | None] = {}


def spawn(popen_kwargs: Mapping[str, Any]) -> Popen[bytes]:
    """Start a process that neither blocks a signal nor ignores SIGINT, whatever the caller does.

    :param popen_kwargs: the arguments of :class:`subprocess.Popen`, ``args`` among them
    :raises OSError: if it cannot be started
    """
    popen_kwargs = dict(popen_kwargs)
    _reap_left()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and sys.platform != "win32":
        argv = popen_kwargs["args"]
        popen_kwargs["args"] = [sys.executable, "-I", "-S", "-c", _STOP_IGNORING_SIGINT, *argv]
    with _no_signal_blocked():
        return Popen[bytes](**popen_kwargs)


def leave_child(popen: Popen[bytes], has_ended: Callable[[], None] | None) -> None:
    """Leave a child to itself, for good; the next spawn after its end reaps it.

    :param has_ended: called then
    """
    # Popen would warn of a child that runs on.
    popen.returncode = 0
    _left[popen.pid] = has_ended


def _reap_left() -> None:
    for pid in list(_left):
        try:
            runs = os.waitpid(pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            runs = False
        if not runs and (has_ended := _left.pop(pid, None)) is not None:
            has_ended()


def end_process(popen: Popen[bytes]) -> None:
    """End a process that was just spawned, and its group, and reap it."""
    with suppress(OSError):
        if sys.platform == "win32":
            popen.kill()
        else:
            os.killpg(popen.pid, signal.SIGKILL)
    popen.wait()


@contextmanager
def _no_signal_blocked() -> Generator[None]:
    if sys.platform == "win32":
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
