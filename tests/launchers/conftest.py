"""Fixtures for launchers; each test is looked through for what it left behind."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import pytest
import zmq

from kernel_mgmt.transports.zmq import zmq_context
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher, SubprocessKernelLauncher

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]

_SECONDS_TO_VANISH = 5.0
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
    """Fail a test that leaves a process, a file, a descriptor or a thread."""
    mark = f"{_MARK}={uuid4()}"
    monkeypatch.setenv(*mark.split("="))
    gc.collect()
    descriptors, threads = _descriptors(), _threads()
    yield
    gc.collect()

    assert not _vanish(lambda: _processes(mark))
    assert not _vanish(_children)
    assert not _vanish(lambda: _threads() - threads)
    assert not _vanish(lambda: _descriptors().items() - descriptors.items())
    assert not runtime_dir.exists() or os.listdir(runtime_dir) == []


def _vanish(left: Callable[[], Collection[object]]) -> Collection[object]:
    deadline = time.monotonic() + _SECONDS_TO_VANISH
    while (rest := left()) and time.monotonic() < deadline:
        time.sleep(0.001)
    return rest


def _descriptors() -> dict[int, str]:
    found: dict[int, str] = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # the one that listed the directory
            continue
    return found


def _threads() -> set[threading.Thread]:
    # Trio keeps its idle worker threads for ten seconds.
    return {each for each in threading.enumerate() if not each.name.startswith("Trio thread")}


def _processes(mark: str) -> list[int]:
    return [pid for pid in _pids() if mark.encode() in _read(pid, "environ").split(b"\0")]


def _children() -> list[int]:
    parents = {pid: _read(pid, "stat").rpartition(b") ")[2].split() for pid in _pids()}
    return [pid for pid, fields in parents.items() if fields[1:2] == [b"%d" % os.getpid()]]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
