"""The classic manager of one kernel, with kernels that do as they are told in each life."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest
import zmq

from kernel_mgmt import (
    KernelAttributes,
    KernelFinder,
    KernelLaunchError,
    KernelStateError,
    LaunchOptionError,
    NoSuchKernelError,
)
from kernel_mgmt.classic import AsyncKernelClient, AsyncKernelManager
from kernel_mgmt.restarter import RestartPolicy
from kernel_mgmt_pyimport import IPykernelProvider
from kernel_mgmt_spec import KernelSpecProvider
from tests.lives_provider import LivesProvider

from .conftest import MINE

pytestmark = pytest.mark.anyio

Make: TypeAlias = Callable[..., AsyncKernelManager]


@pytest.fixture
async def make(runtime_dir: Path) -> AsyncIterator[Make]:
    """A function that makes a manager of fake kernels; its kernel is killed in the end."""
    async with AsyncExitStack() as stack:

        def make(
            provider: LivesProvider | None = None, name: str = "lives/ipc", **settings: Any
        ) -> AsyncKernelManager:
            provider = LivesProvider() if provider is None else provider
            settings = {"kernel_finder": provider.finder} | settings
            manager = AsyncKernelManager(kernel_name=name, **settings)
            stack.push_async_callback(manager.shutdown_kernel, now=True)
            return manager

        yield make


async def connected(manager: AsyncKernelManager) -> AsyncKernelClient:
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(30)
    return client


async def result_of(client: AsyncKernelClient, code: str) -> str:
    """The result of code; all that was published for it has to arrive."""
    results: list[str] = []

    def note(message: dict[str, Any]) -> None:
        if message["msg_type"] == "execute_result":
            results.append(message["content"]["data"]["text/plain"])

    with anyio.fail_after(30):
        await client.execute_interactive(code, output_hook=note)
    return results[0]


def set_at(told: anyio.Event, event: dict[str, Any]) -> None:
    assert event["event"] == "restarted"
    told.set()


async def test_a_kernel_is_started_used_and_shut_down(make: Make) -> None:
    manager = make()

    await manager.start_kernel()
    running = manager.has_kernel, await manager.is_alive(), manager.execution_state
    client = await connected(manager)
    result = await result_of(client, "result 1")
    client.stop_channels()
    stage = await manager.shutdown_kernel()

    assert running == (True, True, "idle")
    assert result == "1"
    assert stage == "shutdown"
    assert (manager.has_kernel, await manager.is_alive()) == (False, False)
    assert manager.ready.done()


async def test_everything_is_safe_on_a_kernel_that_is_gone(make: Make) -> None:
    manager = make()
    await manager.start_kernel()
    await manager.shutdown_kernel()

    stages = [
        await manager.shutdown_kernel(),
        await manager.shutdown_kernel(now=True),
        await manager.kill_kernel(),
        await manager.finish_shutdown(),
    ]
    await manager.request_shutdown()
    await manager.cleanup_resources()
    await manager.cleanup()

    assert stages == ["dead"] * 4
    assert not await manager.is_alive()


async def test_a_manager_that_never_started_has_no_kernel(make: Make) -> None:
    manager = make()

    stages = [await manager.shutdown_kernel(), await manager.finish_shutdown()]
    await manager.request_shutdown()
    await manager.cleanup_resources()

    assert stages == ["dead", "dead"]
    assert (manager.has_kernel, await manager.is_alive()) == (False, False)
    assert not manager.ready.done()


@pytest.mark.parametrize("operation", ["interrupt_kernel", "restart_kernel"])
async def test_what_takes_a_kernel_is_a_runtime_error_without_one(
    operation: str, make: Make
) -> None:
    manager = make()

    with pytest.raises(RuntimeError, match="not running"):
        await getattr(manager, operation)()
    with pytest.raises(RuntimeError, match="not running"):
        await manager.signal_kernel(signal.SIGTERM)


async def test_python_means_python3_and_without_a_kernelspec_the_ipykernel_of_this_python(
    make: Make, tmp_path: Path
) -> None:
    no_specs = KernelSpecProvider(search_path=[str(tmp_path / "kernels")])
    manager = make(name="python", kernel_finder=KernelFinder([no_specs, IPykernelProvider()]))

    await manager.start_kernel()
    client = await connected(manager)
    reply = await client.execute("1", reply=True, timeout=30)
    client.stop_channels()

    assert reply["content"]["status"] == "ok"
    assert manager.kernel_name == "python3"
    assert manager.kernel_spec.name == "pyimport/kernel"
    assert manager.kernel_spec.language == "python"
    assert manager.ipykernel


async def test_a_kernel_type_that_is_not_there_is_a_key_error(make: Make) -> None:
    manager = make(name="lives/nonsense")

    with pytest.raises(KeyError, match="nonsense"):
        _ = manager.kernel_spec
    with pytest.raises(NoSuchKernelError):
        await manager.start_kernel()

    assert isinstance(manager.ready.exception(), NoSuchKernelError)


async def test_what_is_asked_of_a_start_reaches_the_launch(make: Make, tmp_path: Path) -> None:
    provider = LivesProvider()
    manager = make(provider)

    await manager.start_kernel(
        kernel_id=MINE,
        cwd=tmp_path,
        env={"A": "1"},
        extra_arguments=["--never-idle"],
        launch_params={"p": 2},
        transport_encryption="disabled",
    )
    (launch,) = provider.launches

    assert (launch.cwd, launch.launch_params) == (tmp_path, {"p": 2})
    assert launch.options.kernel_id == manager.kernel_id == MINE
    assert launch.options.env == {"A": "1"}
    assert launch.options.extra_arguments == ("--never-idle",)
    assert launch.options.encryption == "disabled"
    assert manager.format_kernel_cmd(["--more"])[-2:] == ["--never-idle", "--more"]


async def test_an_unknown_keyword_is_refused() -> None:
    with pytest.raises(TypeError, match=r"AsyncKernelManager\(\) got an unexpected .*'nonsense'"):
        AsyncKernelManager(nonsense=1)  # type: ignore[call-arg]  # pyright: ignore
    with pytest.raises(TypeError, match=r"AsyncKernelClient\(\) got an unexpected .*'nonsense'"):
        AsyncKernelClient(nonsense=1)  # type: ignore[call-arg]  # pyright: ignore


async def test_starting_a_kernel_that_runs_does_nothing(make: Make) -> None:
    provider = LivesProvider()
    manager = make(provider)

    await manager.start_kernel()
    await manager.start_kernel()

    assert len(provider.launches) == 1


@pytest.mark.parametrize("name", ["lives/tcp", "lives/ipc"])
async def test_a_restart_keeps_the_place_and_the_clients_of_other_programs(
    name: str, make: Make
) -> None:
    manager = make(name=name)
    await manager.start_kernel()
    before = manager.get_connection_info()
    other = AsyncKernelClient(**before)
    other.start_channels()
    await other.wait_for_ready(30)
    pid = await result_of(other, "pid")

    await manager.restart_kernel()
    await other.wait_for_ready(30)
    next_pid = await result_of(other, "pid")
    other.stop_channels()

    assert manager.get_connection_info() == before
    assert pid != next_pid


# In jupyter_client the default configuration makes this do nothing.
@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_a_restart_on_new_ports_changes_them_and_the_key(transport: str, make: Make) -> None:
    manager = make(name=f"lives/{transport}")
    await manager.start_kernel()
    before, key = manager.ports, manager.session.key
    client = await connected(manager)

    await manager.restart_kernel(newports=True)
    result = await result_of(client, "result 1")
    client.stop_channels()

    assert set(before).isdisjoint(manager.ports)
    assert manager.session.key != key
    assert client.ports == manager.ports
    assert result == "1"


async def test_the_clients_of_a_manager_miss_nothing_after_a_restart(make: Make) -> None:
    manager = make()
    await manager.start_kernel()
    client = await connected(manager)

    pids: set[str] = set()
    for now in (False, True, False):
        pids.add(await result_of(client, "pid"))
        await manager.restart_kernel(now=now)
    client.stop_channels()

    assert len(pids) == 3


async def test_a_restart_takes_what_is_changed_and_keeps_the_rest(
    make: Make, tmp_path: Path
) -> None:
    provider = LivesProvider()
    manager = make(provider)
    await manager.start_kernel(cwd=tmp_path, env={"A": "1"})

    manager.update_env(env={"B": "2"})
    await manager.restart_kernel(extra_arguments=["--never-idle"])
    first, second = provider.launches

    assert (first.cwd, second.cwd) == (tmp_path, tmp_path)
    assert (first.options.env, second.options.env) == ({"A": "1"}, {"A": "1", "B": "2"})
    assert second.options.extra_arguments == ("--never-idle",)
    assert second.options.restart


async def test_a_kernel_that_was_shut_down_is_started_again(make: Make) -> None:
    provider = LivesProvider()
    manager = make(provider)
    await manager.start_kernel()
    client = await connected(manager)
    await manager.shutdown_kernel()

    await manager.start_kernel()
    result = await result_of(client, "result 1")
    client.stop_channels()

    assert result == "1"
    assert len({launch.options.kernel_id for launch in provider.launches}) == 1


@pytest.mark.parametrize(
    ("switches", "now", "stage"),
    [
        ((), False, "shutdown"),
        (("--ignore-shutdown",), False, "terminated"),
        (("--ignore-shutdown", "--ignore-sigterm"), False, "killed"),
        ((), True, "killed"),
    ],
)
async def test_a_shutdown_goes_by_stages_and_tells_which_one_ended_it(
    switches: tuple[str, ...], now: bool, stage: str, make: Make
) -> None:
    manager = make(LivesProvider(switches), shutdown_wait_time=0.2)
    await manager.start_kernel()

    assert await manager.shutdown_kernel(now=now) == stage


# In jupyter_client the second one raises InvalidStateError.
async def test_two_shutdowns_at_once_have_one_outcome(make: Make) -> None:
    manager = make()
    await manager.start_kernel()
    stages: list[str] = []

    async def shut_down() -> None:
        stages.append(await manager.shutdown_kernel())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(shut_down)
        tasks.start_soon(shut_down)

    assert stages == ["shutdown", "shutdown"]


# In jupyter_client a process is left, and a future that is never done.
async def test_a_start_that_is_cancelled_leaves_nothing(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"], [])
    manager = make(provider)
    ready = manager.ready

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager.start_kernel)
            while not provider.managers:
                await anyio.sleep(0.001)
            tasks.cancel_scope.cancel()
    alive = await provider.managers[0].is_alive()
    await manager.start_kernel()

    assert not alive
    assert isinstance(ready.exception(), RuntimeError)
    assert await manager.is_alive()


async def test_a_start_that_two_wait_for_goes_on_when_one_is_cancelled(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "0.2"])
    manager = make(provider)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager.start_kernel)
            async with anyio.create_task_group() as cancelled:
                cancelled.start_soon(manager.start_kernel)
                while not provider.managers:
                    await anyio.sleep(0.001)
                cancelled.cancel_scope.cancel()

    assert await manager.is_alive()
    assert len(provider.launches) == 1


async def test_a_shutdown_that_is_cancelled_goes_on(make: Make) -> None:
    manager = make(LivesProvider(["--ignore-shutdown"]), shutdown_wait_time=0.2)
    await manager.start_kernel()

    with anyio.move_on_after(0.01):
        await manager.shutdown_kernel()
    pending = not manager.ready.done()
    with anyio.fail_after(30):
        await manager.ready

    assert pending
    assert not await manager.is_alive()
    assert not os.path.exists(manager.connection_file)


async def test_a_shutdown_breaks_off_a_start(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"])
    manager = make(provider)
    errors: list[Exception] = []

    async def start() -> None:
        try:
            await manager.start_kernel()
        except RuntimeError as error:
            errors.append(error)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            while not provider.managers:
                await anyio.sleep(0.001)
            await manager.shutdown_kernel()

    assert len(errors) == 1
    assert not await provider.managers[0].is_alive()


@pytest.mark.parametrize("turns", range(6))
async def test_a_shutdown_breaks_off_a_start_that_has_hardly_begun(turns: int, make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"])
    manager = make(provider)
    begun = anyio.Event()

    async def start() -> None:
        begun.set()
        with pytest.raises(KernelStateError):
            await manager.start_kernel()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            await begun.wait()
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            await manager.shutdown_kernel()

    assert manager.execution_state == "dead"
    assert not [each for each in provider.managers if await each.is_alive()]


# In jupyter_client the start succeeds, and nobody ever says why the kernel is not there.
async def test_a_kernel_that_ends_at_its_start_says_how(make: Make) -> None:
    manager = make(LivesProvider(["--exit-at-start", "3", "--stderr", "no licence"], []))

    with pytest.raises(RuntimeError, match=r"(?s)exit code 3.*no licence") as caught:
        await manager.start_kernel()
    failure = manager.ready.exception()
    await manager.start_kernel()

    assert isinstance(caught.value, KernelLaunchError)
    assert failure is caught.value
    assert await manager.is_alive()


async def test_a_kernel_that_is_not_ready_in_time_is_ended(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"])
    manager = make(provider, startup_timeout=1)

    with pytest.raises(TimeoutError):
        await manager.start_kernel()

    assert not await provider.managers[0].is_alive()


async def test_ready_is_awaited_for_the_outcome_of_each_operation(make: Make) -> None:
    manager = make()
    started = False

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager.start_kernel)
            await manager.ready
            started = await manager.is_alive()
            tasks.start_soon(manager.shutdown_kernel)
            await anyio.wait_all_tasks_blocked()
            await manager.ready

    assert started
    assert not await manager.is_alive()


async def test_an_interrupt_stops_what_runs(make: Make) -> None:
    manager = make()
    await manager.start_kernel()
    client = await connected(manager)

    client.execute("print a\nsleep 60")
    while (await client.get_iopub_msg(timeout=30))["msg_type"] != "stream":
        pass
    await manager.interrupt_kernel()
    reply = await client.get_shell_msg(timeout=30)
    client.stop_channels()

    assert reply["content"]["status"] == "error"


async def test_an_interrupt_waits_until_the_kernel_is_there(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "0.1"])
    manager = make(provider)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager.start_kernel)
            while not provider.managers:
                await anyio.sleep(0.001)
            await manager.interrupt_kernel()

    assert await manager.is_alive()


async def test_a_signal_reaches_the_kernel(make: Make) -> None:
    provider = LivesProvider()
    manager = make(provider)
    await manager.start_kernel()

    await manager.signal_kernel(signal.SIGKILL)
    with anyio.fail_after(30):
        await provider.managers[0].wait()

    assert not await manager.is_alive()


async def test_a_kernel_that_dies_is_started_again_and_its_clients_follow(make: Make) -> None:
    manager = make(autorestart=True)
    await manager.start_kernel()
    client = await connected(manager)
    told: list[str] = []
    restarted = anyio.Event()
    manager.add_restart_callback(lambda: told.append(manager.execution_state))
    manager.add_restart_callback(partial(set_at, restarted), "restarted")

    client.execute("kill")
    with anyio.fail_after(30):
        await restarted.wait()
    await client.wait_for_ready(30)
    result = await result_of(client, "result 1")
    client.stop_channels()

    assert told == ["restarting"]
    assert result == "1"


async def test_a_kernel_that_dies_again_and_again_is_told_to_be_dead(make: Make) -> None:
    policy = RestartPolicy(restart_limit=2, backoff=0.001)
    manager = make(
        LivesProvider([], ["--exit-at-start", "1"]), autorestart=True, restart_policy=policy
    )
    await manager.start_kernel()
    told: list[str] = []
    dead = anyio.Event()

    async def note() -> None:
        told.append("dead")
        dead.set()

    manager.add_restart_callback(lambda: told.append("restart"), "restart")
    manager.add_restart_callback(note, "dead")
    await manager.signal_kernel(signal.SIGKILL)
    with anyio.fail_after(30):
        await dead.wait()

    assert told == ["restart", "dead"]
    assert not await manager.is_alive()


async def test_the_death_of_a_kernel_that_is_not_restarted_is_told(make: Make) -> None:
    manager = make()
    manager.add_restart_callback(pytest.fail, "restart")
    dead = anyio.Event()
    manager.add_restart_callback(dead.set, "dead")
    await manager.start_kernel()

    await manager.signal_kernel(signal.SIGKILL)
    with anyio.fail_after(30):
        await dead.wait()

    assert manager.execution_state == "dead"


async def test_a_callback_that_was_removed_is_not_called(make: Make) -> None:
    manager = make(autorestart=True)
    restarted = anyio.Event()
    manager.add_restart_callback(pytest.fail)
    manager.add_restart_callback(pytest.fail, "dead")
    await manager.start_kernel()
    manager.remove_restart_callback(pytest.fail)
    manager.remove_restart_callback(pytest.fail, "dead")
    manager.remove_restart_callback(pytest.fail, "dead")
    manager.add_restart_callback(partial(set_at, restarted), "restarted")

    await manager.signal_kernel(signal.SIGKILL)
    with anyio.fail_after(30):
        await restarted.wait()

    assert await manager.is_alive()


async def test_an_unknown_event_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        make().add_restart_callback(print, "nonsense")  # type: ignore[arg-type]  # pyright: ignore


@pytest.mark.parametrize(
    ("switches", "stage"),
    [
        ((), "shutdown"),
        (("--ignore-shutdown",), "terminated"),
        (("--ignore-shutdown", "--ignore-sigterm"), "killed"),
    ],
)
async def test_a_shutdown_is_done_by_hand(
    switches: tuple[str, ...], stage: str, make: Make
) -> None:
    manager = make(LivesProvider(switches), autorestart=True)
    manager.add_restart_callback(pytest.fail, "restart")
    manager.add_restart_callback(pytest.fail, "dead")
    await manager.start_kernel()

    await manager.request_shutdown()
    ended_by = await manager.finish_shutdown(waittime=0.3)
    await manager.cleanup_resources()

    assert ended_by == stage
    assert not await manager.is_alive()


async def test_cleaning_up_leaves_a_kernel_that_runs_alone(make: Make) -> None:
    manager = make()
    await manager.start_kernel()

    await manager.cleanup_resources()

    assert await manager.is_alive()
    assert os.path.exists(manager.connection_file)


async def test_the_connection_file_is_where_it_is_wanted_as_long_as_the_kernel_lives(
    make: Make, tmp_path: Path
) -> None:
    path = tmp_path / "mine.json"
    manager = make(name="lives/tcp", connection_file=path)
    await manager.start_kernel()

    await manager.restart_kernel(newports=True)
    client = AsyncKernelClient(connection_file=path)
    client.load_connection_file()
    client.start_channels()
    await client.wait_for_ready(30)
    client.stop_channels()
    await manager.shutdown_kernel()

    assert manager.connection_file == str(path)
    assert client.ports == manager.ports
    assert not os.path.lexists(path)


async def test_a_connection_file_that_cannot_be_written_fails_the_start(
    make: Make, tmp_path: Path
) -> None:
    manager = make(connection_file=tmp_path / "missing" / "mine.json")

    with pytest.raises(FileNotFoundError):
        await manager.start_kernel()

    assert not await manager.is_alive()


async def test_a_connection_file_is_written_on_demand(make: Make, tmp_path: Path) -> None:
    manager = make()
    with pytest.raises(RuntimeError, match="not running"):
        manager.write_connection_file()
    await manager.start_kernel()
    own = manager.connection_file

    manager.connection_file = str(tmp_path / "mine.json")
    manager.write_connection_file()
    client = AsyncKernelClient()
    client.load_connection_file(manager.connection_file)

    assert os.path.exists(own)
    assert client.ip == manager.ip


async def test_a_kernel_listens_where_it_is_told(make: Make) -> None:
    first = make(name="lives/tcp")
    await first.start_kernel()
    info = first.get_connection_info()
    await first.shutdown_kernel()
    ports = {name: port for name, port in info.items() if name.endswith("_port")}

    second = make(name="lives/tcp", key="my key", **ports)
    await second.start_kernel()
    client = await connected(second)
    client.stop_channels()
    first_start = second.ports
    await second.shutdown_kernel()
    await second.start_kernel()

    assert first_start == second.ports == first.ports
    assert second.session.key == b"my key"


@pytest.mark.parametrize("settings", [{"shell_port": 50001}, {"ip": "0.0.0.0"}, {"key": "mine"}])
async def test_a_place_that_is_told_in_part_is_refused(
    settings: dict[str, Any], make: Make
) -> None:
    manager = make(**settings)

    with pytest.raises(LaunchOptionError, match="ports"):
        await manager.start_kernel()


async def test_a_kernel_of_another_program_is_left_alone(make: Make) -> None:
    owner = make()
    await owner.start_kernel()
    manager = AsyncKernelManager(owns_kernel=False)
    manager.load_connection_info(owner.get_connection_info())

    client = await connected(manager)
    result = await result_of(client, "result 1")
    client.stop_channels()
    stage = await manager.shutdown_kernel(now=True)
    with pytest.raises(RuntimeError, match="another program"):
        await manager.restart_kernel()

    assert result == "1"
    assert stage == "dead"
    assert await manager.is_alive()
    assert await owner.is_alive()


async def test_paths_are_resolved_from_where_the_kernel_works(make: Make, tmp_path: Path) -> None:
    manager = make()
    (tmp_path / "a.txt").touch()
    await manager.start_kernel(cwd=tmp_path)

    assert manager.resolve_path("a.txt") == str(tmp_path.resolve() / "a.txt")
    assert manager.resolve_path("b.txt") is None


async def test_the_command_is_told_before_the_start(make: Make) -> None:
    manager = make(name="pyimport/kernel", kernel_finder=KernelFinder([IPykernelProvider()]))

    command = manager.format_kernel_cmd(["--debug"])

    assert command[0].endswith(("python", "python3", "python3.11")) or os.path.isabs(command[0])
    assert "{connection_file}" in command
    assert command[-1] == "--debug"


async def test_sockets_are_connected_to_the_channels(make: Make) -> None:
    manager = make(name="lives/tcp")
    await manager.start_kernel()
    client = await connected(manager)

    def listen() -> tuple[bytes, bool]:
        with manager.connect_hb() as heartbeat, manager.connect_iopub() as iopub:
            heartbeat.send(b"ping")
            assert heartbeat.poll(30_000)
            echo = heartbeat.recv()
            return echo, bool(iopub.poll(30_000))

    echo, welcomed = await anyio.to_thread.run_sync(listen)
    with (
        manager.connect_shell(identity=b"me") as shell,
        manager.connect_control() as control,
        manager.connect_stdin() as stdin,
    ):
        kinds = [each.get(zmq.TYPE) for each in (shell, control, stdin)]
        identity = shell.get(zmq.ROUTING_ID)
    client.stop_channels()

    assert echo == b"ping"
    assert welcomed
    assert kinds == [zmq.DEALER] * 3
    assert identity == b"me"


async def test_sockets_are_encrypted_where_the_kernel_is(make: Make) -> None:
    finder = KernelFinder([IPykernelProvider()])
    manager = make(name="pyimport/kernel", kernel_finder=finder, transport="tcp")
    await manager.start_kernel(transport_encryption="required")

    def beat() -> bytes:
        with manager.connect_hb() as heartbeat:
            heartbeat.send(b"ping")
            return heartbeat.recv() if heartbeat.poll(30_000) else b""

    echo = await anyio.to_thread.run_sync(beat)

    assert manager.curve_publickey is not None
    assert echo == b"ping"


async def test_clients_that_run_are_counted(make: Make) -> None:
    manager = make()
    await manager.start_kernel()

    client = await connected(manager)
    manager.note_connections(+2)
    with_client = manager.connections
    client.stop_channels()
    manager.note_connections(-1)

    assert (with_client, manager.connections) == (3, 1)


async def test_activity_is_noted(make: Make) -> None:
    manager = make()
    await manager.start_kernel()
    before = manager.last_activity
    client = await connected(manager)

    await result_of(client, "result 1")
    client.stop_channels()

    assert manager.last_activity > before


async def test_a_blocking_client_of_an_asynchronous_manager_works_in_a_thread(make: Make) -> None:
    manager = make()
    await manager.start_kernel()

    def work() -> str:
        client = manager.blocking_client()
        client.start_channels()
        client.wait_for_ready(30)
        reply = client.execute("result 1", reply=True, timeout=30)
        client.stop_channels()
        return str(reply["content"]["status"])

    assert await anyio.to_thread.run_sync(work) == "ok"


def test_a_kernel_goes_on_from_one_event_loop_to_the_next(
    runtime_dir: Path, anyio_backend: str
) -> None:
    manager = AsyncKernelManager(kernel_name="lives/ipc", kernel_finder=LivesProvider().finder)

    async def use() -> str:
        client = await connected(manager)
        result = await result_of(client, "result 1")
        client.stop_channels()
        return result

    anyio.run(manager.start_kernel, backend=anyio_backend)
    result = anyio.run(use, backend=anyio_backend)
    stage = anyio.run(manager.shutdown_kernel, backend=anyio_backend)

    assert (result, stage) == ("1", "shutdown")


async def test_a_shutdown_breaks_off_a_later_start_that_looks_for_the_kernel_type(
    runtime_dir: Path,
) -> None:
    looking, found = anyio.Event(), anyio.Event()

    class SlowFinder(KernelFinder):
        async def get_async(self, name: str) -> KernelAttributes:
            looking.set()
            await found.wait()
            return {}

    manager = AsyncKernelManager(
        kernel_name="lives/ipc", kernel_finder=SlowFinder([LivesProvider()])
    )
    await manager.start_kernel()
    await manager.shutdown_kernel(now=True)
    manager.kernel_name = "python3"
    refusals: list[KernelStateError] = []

    async def start_again() -> None:
        with pytest.raises(KernelStateError) as refused:
            await manager.start_kernel()
        refusals.append(refused.value)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start_again)
            await looking.wait()
            await manager.shutdown_kernel()
            found.set()

    assert refusals[0].state == "stopping"


def test_a_client_follows_a_kernel_that_dies_in_a_later_event_loop(
    runtime_dir: Path, anyio_backend: str
) -> None:
    provider = LivesProvider()
    manager = AsyncKernelManager(
        kernel_name="lives/tcp", kernel_finder=provider.finder, autorestart=True
    )

    async def die() -> str:
        client = await connected(manager)
        restarted = anyio.Event()

        def tell(event: object) -> None:
            restarted.set()

        manager.add_restart_callback(tell, "restarted")
        with anyio.fail_after(30):
            os.kill(provider.managers[0].pid, signal.SIGKILL)
            await restarted.wait()
            result = await result_of(client, "result 1")
        client.stop_channels()
        return result

    anyio.run(manager.start_kernel, backend=anyio_backend)
    try:
        result = anyio.run(die, backend=anyio_backend)
    finally:
        anyio.run(partial(manager.shutdown_kernel, now=True), backend=anyio_backend)

    assert result == "1"
