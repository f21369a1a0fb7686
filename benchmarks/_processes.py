"""Processes with a time limit that leave nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

MARK = "KERNEL_MGMT_BENCHMARK_SAMPLE"
PATIENCE = 3.0


class SampleError(Exception):
    """Raised when a sample could not be taken."""


def run_to_the_end(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, time_limit: float
) -> int:
    """Run a program, and end whatever it left running.

    Its descendants are known by a variable of their environment, so that those with a session of
    their own are found too (on Linux).

    :param log: the file that takes its output, and that of its descendants
    :param time_limit: seconds it may take
    :return: how many descendants had to be killed
    :raises SampleError: if it fails or exceeds its time; the message ends with its last output
    """
    mark = uuid4().hex
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            env={**env, MARK: mark},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            process.wait(time_limit)
        except subprocess.TimeoutExpired:
            raise SampleError(f"took more than {time_limit:g} s\n{_tail(log)}") from None
        finally:
            process.kill()
            process.wait()
            killed = _kill_the_rest(mark)
    if process.returncode:
        raise SampleError(f"exit status {process.returncode}\n{_tail(log)}")
    return killed


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-15:])


def _kill_the_rest(mark: str) -> int:
    deadline = time.monotonic() + PATIENCE
    while (rest := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in rest:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(rest)


def _marked(mark: str) -> list[int]:
    wanted = f"{MARK}={mark}".encode()
    pids: list[int] = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in environ.read_bytes():
                pids.append(int(environ.parent.name))
    return pids
