"""Fixtures for launchers; each test is looked through for what it left behind."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
import zmq

from kernel_mgmt.transports.zmq import zmq_context
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher, SubprocessKernelLauncher
from kernel_mgmt_subprocess._guardian import Guardian

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]

_SECONDS_TO_VANISH = 20.0
_MARK = "KERNEL_MGMT_TEST"


@pytest.fixture(scope="session", autouse=True)
def started_zmq() -> None:
    """Start the threads of libzmq, which keep some descriptors for as long as the process lives."""
    zmq_context().socket(zmq.PAIR).close()


@pytest.fixture
def runtime_dir(tmp_path: Path) -> Path:
    """A runtime directory that must be empty after the test."""
    return tmp_path / "runtime"


@pytest.fixture
def kernel_id() -> str:
    """An id of a kernel that no other test run has, whose kernels would be ended with ours."""
    return f"test-{uuid4()}"


@pytest.fixture(params=[SubprocessKernelLauncher, SubprocessIPCKernelLauncher])
def launcher_class(request: pytest.FixtureRequest) -> Launcher:
    """Each of the launchers."""
    launcher: Launcher = request.param
    return launcher


@pytest.fixture(autouse=True)
def nothing_is_left(runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that leaves a process, a file, a descriptor or a thread, and end what it left."""
    mark = f"{_MARK}={uuid4()}"
    monkeypatch.setenv(*mark.split("="))
    # The one before may still guard what an earlier test has left.
    monkeypatch.setattr("kernel_mgmt_subprocess._guardian._guardian", Guardian())
    gc.collect()
    before = _belongings(mark, runtime_dir)
    yield
    gc.collect()
    left = _vanish(lambda: _added(_belongings(mark, runtime_dir), before))
    if left:
        _end({*_processes(mark), *_children()} - before["children"].keys())
        _let_go_of_the_failure()

    assert left == {}, "the test has left something behind"


def _vanish(find_left: Callable[[], dict[str, object]]) -> dict[str, object]:
    deadline = time.monotonic() + _SECONDS_TO_VANISH
    while (left := find_left()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return left


def _belongings(mark: str, runtime_dir: Path) -> dict[str, dict[Any, str]]:
    return {
        "processes": _processes(mark),
        "children": _children(),
        "threads": _threads(),
        "descriptors": _descriptors(),
        "files": {path: path.name for path in runtime_dir.glob("*")},
    }


def _added(now: dict[str, dict[Any, str]], before: dict[str, dict[Any, str]]) -> dict[str, object]:
    added = {kind: dict(now[kind].items() - before[kind].items()) for kind in now}
    return {kind: each for kind, each in added.items() if each}


def _end(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _let_go_of_the_failure() -> None:
    # What a test has left open is in the frames of its traceback, which pytest keeps until the next
    # test; warnings of it would fail that one, too.
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        sys.__dict__.pop(name, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def _descriptors() -> dict[Any, str]:
    found: dict[Any, str] = {}
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # the one that listed the directory
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def _threads() -> dict[Any, str]:
    # Trio and anyio keep their idle worker threads for ten seconds, or as long as the loop runs.
    return {
        thread: thread.name
        for thread in threading.enumerate()
        if not thread.name.startswith(("Trio thread", "AnyIO worker thread"))
    }


def _processes(mark: str) -> dict[Any, str]:
    carriers = [pid for pid in _pids() if mark.encode() in _read(pid, "environ").split(b"\0")]
    return {pid: _command(pid) for pid in carriers}


def _children() -> dict[Any, str]:
    parents = {pid: _read(pid, "stat").rpartition(b") ")[2].split() for pid in _pids()}
    own = b"%d" % os.getpid()
    return {pid: _command(pid) for pid, fields in parents.items() if fields[1:2] == [own]}


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _command(pid: int) -> str:
    return _read(pid, "cmdline").decode(errors="replace").replace("\0", " ")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
