"""The classic manager of many kernels, with kernels that do as they are told."""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from weakref import ref

import anyio
import pytest
import zmq

from kernel_mgmt import (
    DuplicateKernelError,
    KernelFinder,
    KernelLaunchError,
    KernelStateError,
    NoSuchKernelError,
)
from kernel_mgmt.classic import (
    AsyncKernelManager,
    AsyncMultiKernelManager,
    kernel_method,
)
from kernel_mgmt.client import ShutdownStage
from kernel_mgmt_pyimport import IPykernelProvider
from tests.lives_provider import LivesProvider

from .conftest import MINE

pytestmark = pytest.mark.anyio

Make: TypeAlias = Callable[..., AsyncMultiKernelManager]


@pytest.fixture
async def make(runtime_dir: Path) -> AsyncIterator[Make]:
    """A function that makes a manager of fake kernels, which are killed in the end."""
    async with AsyncExitStack() as stack:

        def make(
            provider: LivesProvider | None = None,
            kind: type[AsyncMultiKernelManager] = AsyncMultiKernelManager,
            **settings: Any,
        ) -> AsyncMultiKernelManager:
            provider = LivesProvider() if provider is None else provider
            settings.setdefault("kernel_finder", KernelFinder([provider, IPykernelProvider()]))
            kernels = kind(default_kernel_name="lives/ipc", **settings)
            stack.push_async_callback(kernels.shutdown_all, now=True)
            return kernels

        yield make


async def test_kernels_are_started_used_and_shut_down_by_their_ids(make: Make) -> None:
    kernels = make()

    kernel_id = await kernels.start_kernel()
    other_id = await kernels.start_kernel("lives/tcp", kernel_id=MINE)
    known = kernels.list_kernel_ids(), len(kernels), kernel_id in kernels
    client = kernels.get_kernel(kernel_id).client()
    client.start_channels()
    await client.wait_for_ready(30)
    reply = await client.execute("result 1", reply=True, timeout=30)
    client.stop_channels()
    stage = await kernels.shutdown_kernel(kernel_id)

    assert other_id == MINE
    assert known == ([kernel_id, MINE], 2, True)
    assert reply["content"]["status"] == "ok"
    assert stage == "shutdown"
    assert kernels.list_kernel_ids() == [MINE]
    assert await kernels.is_alive(MINE)


@pytest.mark.parametrize("now", [False, True])
async def test_thirty_kernels_are_started_and_ended_at_once(now: bool, make: Make) -> None:
    provider = LivesProvider()
    kernels = make(provider)
    names = ["pyimport/kernel"] * 2 + ["lives/ipc", "lives/tcp"] * 14

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(kernels.start_kernel, name)
        ids = kernels.list_kernel_ids()
        alive = [await kernels.is_alive(kernel_id) for kernel_id in ids]
        await kernels.shutdown_all(now=now)

    assert alive == [True] * 30
    assert len(kernels) == 0
    assert all(manager.exit_status is not None for manager in provider.managers)


async def test_an_id_is_had_once(make: Make) -> None:
    kernels = make()
    await kernels.start_kernel(kernel_id=MINE)

    with pytest.raises(DuplicateKernelError, match=MINE):
        await kernels.start_kernel(kernel_id=MINE)


async def test_an_id_is_had_once_also_of_two_starts_at_once(make: Make) -> None:
    provider = LivesProvider()
    kernels = make(provider)
    errors: list[str] = []

    async def start() -> None:
        try:
            await kernels.start_kernel(kernel_id=MINE)
        except DuplicateKernelError as error:
            errors.append(error.kernel_id)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(start)
        tasks.start_soon(start)

    assert errors == [MINE]
    assert len(provider.launches) == 1


async def test_a_start_that_fails_leaves_no_kernel_and_no_id(make: Make) -> None:
    kernels = make(LivesProvider(["--exit-at-start", "3"], []))

    with pytest.raises(KernelLaunchError, match="exit code 3"):
        await kernels.start_kernel(kernel_id=MINE)
    with pytest.raises(NoSuchKernelError):
        await kernels.start_kernel("lives/nonsense", kernel_id=MINE)
    left = kernels.list_kernel_ids()
    await kernels.start_kernel(kernel_id=MINE)

    assert left == []
    assert MINE in kernels


async def test_a_start_that_is_cancelled_leaves_no_kernel_and_no_id(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"], [])
    kernels = make(provider)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:

            async def start() -> None:
                await kernels.start_kernel(kernel_id=MINE)

            tasks.start_soon(start)
            while not provider.managers:
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
    await kernels.start_kernel(kernel_id=MINE)

    assert not await provider.managers[0].is_alive()
    assert kernels.list_kernel_ids() == [MINE]


@pytest.mark.parametrize("operation", ["shutdown_kernel", "restart_kernel", "interrupt_kernel"])
async def test_an_unknown_id_is_a_key_error(operation: str, make: Make) -> None:
    kernels = make()

    with pytest.raises(KeyError, match="not found: nonsense"):
        await getattr(kernels, operation)("nonsense")
    with pytest.raises(KeyError):
        kernels.get_kernel("nonsense")

    assert kernels.remove_kernel("nonsense") is None
    assert "nonsense" not in kernels


async def test_what_is_done_with_one_kernel_reaches_its_manager(make: Make) -> None:
    provider = LivesProvider()
    kernels = make(provider)
    kernel_id = await kernels.start_kernel("lives/tcp", env={"A": "1"})
    manager = kernels.get_kernel(kernel_id)
    ports = manager.ports

    kernels.update_env(kernel_id=kernel_id, env={"B": "2"})
    kernels.update_env(kernel_id="nonsense", env={})
    await kernels.restart_kernel(kernel_id)
    same = manager.ports == ports
    await kernels.restart_kernel(kernel_id, now=True, newports=True)
    await kernels.interrupt_kernel(kernel_id)
    info = kernels.get_connection_info(kernel_id)
    sockets = [
        connect(kernel_id)
        for connect in (
            kernels.connect_shell,
            kernels.connect_iopub,
            kernels.connect_stdin,
            kernels.connect_control,
            kernels.connect_hb,
        )
    ]
    kinds = [socket.get(zmq.TYPE) for socket in sockets]
    for socket in sockets:
        socket.close()

    assert same
    assert provider.launches[1].options.env == {"A": "1", "B": "2"}
    assert set(manager.ports).isdisjoint(ports)
    assert info == manager.get_connection_info()
    assert kinds == [zmq.DEALER, zmq.SUB, zmq.DEALER, zmq.DEALER, zmq.REQ]


async def test_a_kernel_is_shut_down_by_hand(make: Make) -> None:
    kernels = make(LivesProvider(["--ignore-shutdown"]))
    kernel_id = await kernels.start_kernel()

    await kernels.request_shutdown(kernel_id)
    stage = await kernels.finish_shutdown(kernel_id, waittime=0.2)
    await kernels.cleanup_resources(kernel_id)
    removed = kernels.remove_kernel(kernel_id)

    assert stage == "terminated"
    assert removed is not None
    assert not await removed.is_alive()
    assert len(kernels) == 0


async def test_kernels_that_die_are_started_again_and_callbacks_told(make: Make) -> None:
    kernels = make()
    kernel_id = await kernels.start_kernel()
    told = anyio.Event()
    kernels.add_restart_callback(kernel_id, pytest.fail, "dead")
    kernels.add_restart_callback(kernel_id, pytest.fail)
    kernels.remove_restart_callback(kernel_id, pytest.fail)
    kernels.add_restart_callback(kernel_id, told.set)

    await kernels.signal_kernel(kernel_id, signal.SIGKILL)
    with anyio.fail_after(30):
        await told.wait()
        while not await kernels.is_alive(kernel_id):
            await anyio.sleep(0.001)

    assert kernel_id in kernels


async def test_a_kernel_is_killed_and_forgotten(make: Make) -> None:
    kernels = make()
    kernel_id = await kernels.start_kernel()

    stage = await kernels.kill_kernel(kernel_id)

    assert stage == "killed"
    assert kernel_id not in kernels


async def test_two_shutdowns_of_one_kernel_at_once_have_one_outcome(make: Make) -> None:
    kernels = make()
    kernel_id = await kernels.start_kernel()
    stages: list[str | None] = []

    async def shut_down() -> None:
        stages.append(await kernels.shutdown_kernel(kernel_id))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shut_down)
        tasks.start_soon(shut_down)

    assert stages == ["shutdown", "shutdown"]


async def test_kernels_that_are_being_started_are_ended_with_all_others(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"])
    kernels = make(provider)
    errors: list[Exception] = []

    async def start() -> None:
        try:
            await kernels.start_kernel()
        except RuntimeError as error:
            errors.append(error)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            while not provider.managers:
                await anyio.sleep(0.001)
            await kernels.shutdown_all()

    assert len(errors) == 1
    assert len(kernels) == 0
    assert not await provider.managers[0].is_alive()


# Pending kernels


async def test_a_pending_kernel_is_there_before_it_is_ready(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "0.1"])
    kernels = make(provider, use_pending_kernels=True)

    with anyio.fail_after(30):
        kernel_id = await kernels.start_kernel()
        manager = kernels.get_kernel(kernel_id)
        pending = not manager.ready.done()
        with pytest.raises(RuntimeError, match="pending"):
            await kernels.interrupt_kernel(kernel_id)
        with pytest.raises(RuntimeError, match="pending"):
            await kernels.restart_kernel(kernel_id)
        await manager.ready
        alive = await kernels.is_alive(kernel_id)
        await kernels.shutdown_kernel(kernel_id)
        while kernel_id in kernels:
            await anyio.sleep(0.001)
        await manager.ready

    assert pending
    assert alive
    assert not await manager.is_alive()


async def test_a_pending_kernel_that_fails_tells_it_by_ready(make: Make) -> None:
    kernels = make(LivesProvider(["--exit-at-start", "3"]), use_pending_kernels=True)

    with anyio.fail_after(30):
        kernel_id = await kernels.start_kernel()
        manager = kernels.get_kernel(kernel_id)
        with pytest.raises(KernelLaunchError):
            await manager.ready
        await kernels.shutdown_kernel(kernel_id)
        while kernel_id in kernels:
            await anyio.sleep(0.001)

    assert not await manager.is_alive()


@pytest.mark.parametrize("launched", [False, True])
async def test_a_pending_kernel_is_ended_before_it_is_ready(launched: bool, make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"])
    kernels = make(provider, use_pending_kernels=True)

    with anyio.fail_after(30):
        kernel_id = await kernels.start_kernel()
        manager = kernels.get_kernel(kernel_id)
        while launched and not provider.managers:
            await anyio.sleep(0.001)
        ready = manager.ready
        await kernels.shutdown_all()
        with pytest.raises(RuntimeError):
            await ready

    assert len(kernels) == 0
    assert not await manager.is_alive()
    assert len(provider.managers) == launched


async def test_pending_kernels_that_are_ended_at_once_leave_nothing(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"])
    kernels = make(provider, use_pending_kernels=True)

    with anyio.fail_after(60):
        managers: list[AsyncKernelManager] = []
        for _ in range(10):
            kernel_id = await kernels.start_kernel()
            managers.append(kernels.get_kernel(kernel_id))
            await kernels.shutdown_kernel(kernel_id)
            # Trio begins either of the two first, each time anew.
            await anyio.lowlevel.checkpoint()
        while len(kernels):
            await anyio.sleep(0.001)
        await anyio.wait_all_tasks_blocked()

    assert {manager.execution_state for manager in managers} == {"dead"}
    assert not [each for each in provider.managers if await each.is_alive()]


# Kernels of other programs


async def test_kernels_of_other_programs_come_and_go_with_their_files(
    make: Make, tmp_path: Path
) -> None:
    directory = tmp_path / "external"
    directory.mkdir()
    owner, kernels = make(), make(external_connection_dir=directory)
    mine = await owner.start_kernel()
    info = owner.get_connection_info(mine)
    before = kernels.list_kernel_ids()

    (directory / "other.txt").write_text("nonsense")
    path = directory / "kernel-other.json"
    path.write_text(json.dumps(info | {"key": info["key"].decode(), "kernel_name": "fake"}))
    (found,) = kernels.list_kernel_ids()
    manager = kernels.get_kernel(found)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(30)
    reply = await client.execute("result 1", reply=True, timeout=30)
    client.stop_channels()
    adopted = manager.owns_kernel, manager.ready.done(), manager.kernel_name, len(kernels)
    alive = await kernels.is_alive(found)
    path.unlink()

    assert before == []
    assert adopted == (False, True, "fake", 1)
    assert alive
    assert reply["content"]["status"] == "ok"
    assert kernels.list_kernel_ids() == []
    assert await owner.is_alive(mine)


async def test_shutting_all_down_leaves_kernels_of_other_programs_running(
    make: Make, tmp_path: Path
) -> None:
    owner = make(connection_dir=tmp_path)
    mine = await owner.start_kernel()
    kernels = make(external_connection_dir=tmp_path)

    found = len(kernels)
    await kernels.shutdown_all(now=True)

    assert found == 1
    assert len(kernels) == 0
    assert await owner.is_alive(mine)


async def test_ones_own_kernels_are_not_taken_for_those_of_others(
    make: Make, tmp_path: Path, runtime_dir: Path
) -> None:
    kernels = make(connection_dir=tmp_path, external_connection_dir=tmp_path)
    others = make(external_connection_dir=runtime_dir)

    mine = await kernels.start_kernel()
    theirs = await others.start_kernel()

    assert (tmp_path / f"kernel-{mine}.json").is_file()
    assert kernels.list_kernel_ids() == [mine]
    assert len(others) == 2
    assert theirs in others


# Culling


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def until_culled(kernels: AsyncMultiKernelManager, kernel_id: str) -> None:
    with anyio.fail_after(30):
        while kernel_id in kernels:
            await anyio.sleep(0.001)


async def test_a_kernel_that_nobody_uses_is_ended(make: Make) -> None:
    clock = Clock()
    kernels = make(cull_idle_timeout=3600, cull_interval=0.005, now=clock)
    kernel_id = await kernels.start_kernel()
    manager = kernels.get_kernel(kernel_id)

    await anyio.sleep(0.05)
    early = kernel_id in kernels
    clock.ahead = timedelta(hours=2)
    await until_culled(kernels, kernel_id)

    assert early
    assert not await manager.is_alive()


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_kernel_with_clients_is_ended_only_if_that_is_allowed(
    allowed: bool, make: Make
) -> None:
    clock = Clock()
    kernels = make(cull_idle_timeout=3600, cull_interval=0.005, cull_connected=allowed, now=clock)
    used, idle = await kernels.start_kernel(), await kernels.start_kernel()
    kernels.notify_connect(used)

    clock.ahead = timedelta(hours=2)
    await until_culled(kernels, idle)
    if allowed:
        await until_culled(kernels, used)
    left = kernels.list_kernel_ids()
    kernels.notify_disconnect(used)
    await until_culled(kernels, used)

    assert left == ([] if allowed else [used])


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_busy_kernel_is_ended_only_if_that_is_allowed(allowed: bool, make: Make) -> None:
    clock = Clock()
    kernels = make(
        cull_idle_timeout=3600,
        cull_interval=0.005,
        cull_busy=allowed,
        cull_connected=True,
        now=clock,
    )
    busy, idle = await kernels.start_kernel(), await kernels.start_kernel()
    client = kernels.get_kernel(busy).client()
    client.start_channels()
    await client.wait_for_ready(30)
    client.execute("print a\nsleep 600")
    while (await client.get_iopub_msg(timeout=30))["msg_type"] != "stream":
        pass

    clock.ahead = timedelta(hours=2)
    await until_culled(kernels, idle)
    if allowed:
        await until_culled(kernels, busy)
    left = kernels.list_kernel_ids()
    client.stop_channels()
    await kernels.shutdown_all(now=True)

    assert left == ([] if allowed else [busy])


class Stubborn(AsyncKernelManager):
    """Cannot be ended but at once."""

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> ShutdownStage:
        if not now:
            raise ZeroDivisionError
        return await super().shutdown_kernel(now, restart)


async def test_culling_goes_on_when_a_kernel_cannot_be_ended(make: Make) -> None:
    clock = Clock()
    kinds = iter([Stubborn, AsyncKernelManager])

    def make_manager(**settings: Any) -> AsyncKernelManager:
        return next(kinds)(**settings)

    kernels = make(
        kernel_manager_factory=make_manager, cull_idle_timeout=3600, cull_interval=0.005, now=clock
    )
    stubborn, idle = await kernels.start_kernel(), await kernels.start_kernel()

    clock.ahead = timedelta(hours=2)
    await until_culled(kernels, idle)

    assert kernels.list_kernel_ids() == [stubborn]


class Unwanted(AsyncKernelManager):
    """Is shut down by somebody else in the very step in which its kernel is ready."""

    async def start_kernel(self, **keywords: Any) -> None:
        await super().start_kernel(**keywords)
        assert isinstance(self.parent, AsyncMultiKernelManager)
        await self.parent.shutdown_kernel(self.kernel_id or "")


async def test_a_kernel_that_is_ended_as_it_becomes_ready_is_not_listed(make: Make) -> None:
    kernels = make(kernel_manager_class=Unwanted)

    with pytest.raises(KernelStateError):
        await kernels.start_kernel()

    assert kernels.list_kernel_ids() == []


async def test_culling_holds_nothing_of_a_manager_that_nobody_holds(runtime_dir: Path) -> None:
    kernels = AsyncMultiKernelManager(
        kernel_finder=LivesProvider().finder,
        default_kernel_name="lives/ipc",
        cull_idle_timeout=3600,
        cull_interval=3600,
    )
    manager = kernels.get_kernel(await kernels.start_kernel())
    await manager.shutdown_kernel(now=True)
    gone = ref(manager)

    del kernels, manager
    gc.collect()
    await anyio.wait_all_tasks_blocked()
    gc.collect()

    assert gone() is None


async def test_an_interval_of_0_is_the_usual_one(make: Make) -> None:
    clock = Clock()
    kernels = make(cull_idle_timeout=3600, cull_interval=0, now=clock)
    kernel_id = await kernels.start_kernel()

    clock.ahead = timedelta(hours=2)
    # Meanwhile one that is looked at all the time would be ended.
    await kernels.start_kernel()
    await kernels.start_kernel()

    assert kernel_id in kernels


async def test_all_that_can_be_ended_are_ended_and_the_first_error_is_raised(make: Make) -> None:
    kinds = iter([Stubborn, AsyncKernelManager])

    def make_manager(**settings: Any) -> AsyncKernelManager:
        return next(kinds)(**settings)

    kernels = make(kernel_manager_factory=make_manager)
    stubborn = await kernels.start_kernel()
    await kernels.start_kernel()

    with pytest.raises(ZeroDivisionError):
        await kernels.shutdown_all()

    assert kernels.list_kernel_ids() == [stubborn]


# How it is extended


async def test_managers_are_made_by_a_class_a_name_or_a_factory(make: Make) -> None:
    class Mine(AsyncKernelManager):
        pass

    def make_mine(**settings: Any) -> Mine:
        return Mine(**settings)

    by_class = make(kernel_manager_class=Mine)
    by_name = make(kernel_manager_class="kernel_mgmt.classic.AsyncKernelManager")
    by_factory = make(kernel_manager_factory=make_mine)

    kinds = [
        type(kernels.get_kernel(await kernels.start_kernel()))
        for kernels in (by_class, by_name, by_factory)
    ]

    assert kinds == [Mine, AsyncKernelManager, Mine]


async def test_a_kernel_method_hands_on_to_the_manager_of_the_kernel(make: Make) -> None:
    logged: list[str] = []

    class Mine(AsyncMultiKernelManager):
        def new_kernel_id(self, **keywords: object) -> str:
            return MINE

        @kernel_method
        def resolve_path(self, kernel_id: str, path: str) -> str | None:
            """Resolve a path."""
            logged.append(path)
            return None

    kernels: Any = make(kind=Mine)
    await kernels.start_kernel()

    resolved = kernels.resolve_path(MINE, "/")

    assert resolved == "/"
    assert logged == ["/"]
