"""Kernels that die are started again by our managers, on the event and not on a look."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from kernel_mgmt.jupyter import AsyncIOLoopKernelManager, IOLoopKernelManager
from kernel_mgmt.testing import fake_kernel_argv
from tests.conftest import left_behind

from .conftest import MakeSpec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests on asyncio alone: jupyter_client knows no other."""
    return "asyncio"


@pytest.fixture(autouse=True)
def _runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    yield
    assert left_behind(tmp_path / "runtime") == []


GATE = "import pathlib, sys, time; gate = pathlib.Path(sys.argv[1])\n"
WAIT = "while not gate.exists(): time.sleep(0.01)\n"


class Told:
    """The events that a restarter tells, in their order."""

    def __init__(self, manager: Any) -> None:
        self.events: list[str] = []
        self._happened = anyio.Event()
        for event in ("restart", "dead"):
            manager.add_restart_callback(partial(self._take, event), event)

    def _take(self, event: str) -> None:
        self.events.append(event)
        self._happened.set()

    async def of(self, event: str) -> None:
        """Wait for an event."""
        with anyio.fail_after(30):
            while event not in self.events:
                self._happened = anyio.Event()
                await self._happened.wait()


@pytest.fixture
async def manage() -> AsyncIterator[Callable[..., Any]]:
    """A function that makes managers which would look for the end of a kernel once in an hour."""
    made: list[Any] = []

    def make(kernel_name: str, **settings: Any) -> Any:
        manager: Any = AsyncIOLoopKernelManager(kernel_name=kernel_name)
        manager.config.KernelRestarter.time_to_dead = 3600.0
        manager.config.KernelRestarter.update(settings)
        made.append(manager)
        return manager

    yield make
    with anyio.CancelScope(shield=True):
        for manager in made:
            await manager.shutdown_kernel(now=True)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that a kernel waits for, so that it ends when somebody is told of it."""
    return tmp_path / "gate"


@pytest.fixture
async def manager(make_spec: MakeSpec, manage: Callable[..., Any]) -> Any:
    """The manager of a kernel that runs."""
    make_spec("fake", argv=fake_kernel_argv())
    manager = manage("fake")
    await manager.start_kernel()
    return manager


async def reply_on(stream: Any, session: Any) -> dict[str, Any]:
    """The next reply that comes on a stream, to what is asked on it."""
    frames: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
    stream.on_recv(frames.set_result)
    session.send(stream, "kernel_info_request")
    with anyio.fail_after(30):
        _, parts = session.feed_identities(await frames)
    reply: dict[str, Any] = session.deserialize(parts)
    return reply


async def test_a_kernel_that_dies_is_restarted_where_it_was(manager: Any) -> None:
    told, ports, pid = Told(manager), manager.ports, manager.provisioner.pid
    os.kill(pid, signal.SIGKILL)
    await told.of("restart")
    await manager.ready

    assert manager.ports == ports
    assert manager.provisioner.pid != pid
    assert await manager.is_alive()


async def test_an_open_stream_goes_on_after_the_kernel_has_died(manager: Any) -> None:
    stream = manager.connect_shell()
    await reply_on(stream, manager.session)
    told = Told(manager)
    os.kill(manager.provisioner.pid, signal.SIGKILL)
    await told.of("restart")
    await manager.ready
    reply = await reply_on(stream, manager.session)
    stream.close()

    assert reply["content"]["status"] == "ok"


async def test_a_kernel_that_dies_as_it_is_shut_down_is_not_restarted(manager: Any) -> None:
    told = Told(manager)
    os.kill(manager.provisioner.pid, signal.SIGKILL)
    await manager.shutdown_kernel()

    assert told.events == []
    assert not manager.has_kernel


async def test_a_shutdown_breaks_off_an_automatic_restart(manager: Any) -> None:
    ending: list[asyncio.Task[None]] = []

    def shut_down() -> None:
        ending.append(asyncio.create_task(manager.shutdown_kernel()))

    manager.add_restart_callback(shut_down, "restart")
    told = Told(manager)
    os.kill(manager.provisioner.pid, signal.SIGKILL)
    await told.of("restart")
    await ending[0]

    assert told.events == ["restart"]
    assert not manager.has_kernel


async def test_it_is_told_when_a_kernel_is_given_up(
    make_spec: MakeSpec, manage: Callable[..., Any], caplog: pytest.LogCaptureFixture, gate: Path
) -> None:
    code = GATE + WAIT + "sys.exit('no module named oblong')"
    make_spec("broken", argv=[sys.executable, "-S", "-c", code, str(gate)])
    manager = manage("broken", restart_limit=2)
    await manager.start_kernel()
    told = Told(manager)
    gate.touch()
    await told.of("dead")

    assert told.events == ["restart", "restart", "dead"]
    assert "no module named oblong" in caplog.text


async def test_a_kernel_may_end_by_itself_and_stay_so(
    make_spec: MakeSpec, manage: Callable[..., Any], gate: Path
) -> None:
    make_spec("brief", argv=[sys.executable, "-S", "-c", GATE + WAIT, str(gate)])
    manager = manage("brief", restart_on_exit_0=False)
    await manager.start_kernel()
    told = Told(manager)
    gate.touch()
    await told.of("dead")

    assert told.events == ["dead"]


async def test_a_kernel_that_lost_its_ports_has_others(
    make_spec: MakeSpec, manage: Callable[..., Any], gate: Path
) -> None:
    again = "first = gate.with_name('first')\nif first.exists(): time.sleep(99)\nfirst.touch()\n"
    code = GATE + again + WAIT + "sys.exit('Address already in use')"
    make_spec("late", argv=[sys.executable, "-S", "-c", code, str(gate)])
    manager = manage("late")
    await manager.start_kernel()
    told, before = Told(manager), manager.ports
    gate.touch()
    await told.of("restart")
    await manager.ready

    assert set(manager.ports).isdisjoint(before)


async def test_a_kernel_of_a_blocking_manager_is_restarted_too(make_spec: MakeSpec) -> None:
    make_spec("fake", argv=fake_kernel_argv())
    manager: Any = IOLoopKernelManager(kernel_name="fake")
    # In a loop that goes on, which the manager calls back in a thread of its own.
    manager.start_kernel()
    restarted = anyio.Event()
    loop = asyncio.get_running_loop()
    manager.add_restart_callback(lambda: loop.call_soon_threadsafe(restarted.set), "restart")
    pid = manager.provisioner.pid
    os.kill(pid, signal.SIGKILL)
    with anyio.fail_after(30):
        await restarted.wait()
        while manager.provisioner.pid == pid:
            await asyncio.sleep(0)
    alive = manager.is_alive()
    manager.shutdown_kernel(now=True)

    assert alive
