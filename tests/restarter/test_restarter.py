"""What a restarter does when its kernel ends, and how often."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from kernel_mgmt import (
    ConnectionInfo,
    KernelClient,
    KernelLaunchError,
    KernelManagerABC,
    KernelRestarter,
    KernelStateError,
    LaunchOptions,
    StartupTimeoutError,
    start_kernel_async,
)
from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.restarter import RestartedEvent, RestartEvent
from tests.lives_provider import LivesProvider, OddManager

from .conftest import Pauses, Told, Watch, end_all

pytestmark = pytest.mark.anyio


def crash(restarter: KernelRestarter) -> None:
    os.kill(restarter.kernel_manager.pid, signal.SIGKILL)  # type: ignore[attr-defined]


def crash_again(event: RestartedEvent) -> None:
    os.kill(event["manager"].pid, signal.SIGKILL)  # type: ignore[attr-defined]


async def until_settled(restarter: KernelRestarter) -> AsyncIterator[RestartEvent]:
    """What is told, until the kernel is ready or given up."""
    async for event in restarter.events():
        yield event
        if event["event"] == "restarted":
            return


async def result_of(client: KernelClient, code: str) -> str:
    """What a command of the fake kernel has for its result."""
    text: str = (await client.execute(code).outputs())[0]["data"]["text/plain"]
    return text


async def test_a_kernel_that_dies_is_started_again(watch: Watch) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        before = restarter.kernel_manager
        events = restarter.events()
        crash(restarter)
        died, restarted = await anext(events), await anext(events)

    assert died["event"] == "died"
    assert died["manager"] is before
    assert died["exit_status"] is not None
    assert died["exit_status"].signal == signal.SIGKILL
    assert died["restarting"]
    assert restarted["event"] == "restarted"
    assert restarted["manager"] is restarter.kernel_manager is provider.managers[1]
    assert restarted["connection_info"] == provider.managers[1].connection_info
    assert restarted["auto"]
    assert {died["kernel_id"], restarted["kernel_id"]} == {before.kernel_id}
    assert (died["restart_count"], restarted["restart_count"]) == (0, 1)


async def test_a_kernel_that_is_restarted_is_ready(watch: Watch) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        events = restarter.events()
        crash(restarter)
        await anext(events)
        restarted = await anext(events)
        assert restarted["event"] == "restarted"
        async with KernelClient(restarted["connection_info"], restarted["manager"]) as client:
            reply = await client.execute("result 1")

    assert reply.content["status"] == "ok"


@pytest.mark.parametrize("limit", [0, 1, 5])
async def test_a_kernel_that_dies_again_and_again_is_restarted_exactly_so_often(
    limit: int, watch: Watch
) -> None:
    provider = LivesProvider()
    with anyio.fail_after(60):
        restarter = await watch(provider, restart_limit=limit, sleep=Pauses())
        told = Told(restarter)
        restarter.add_callback(crash_again, "restarted")
        crash(restarter)
        async for _ in restarter.events():
            pass

    assert told.names == ["died", *["restarted", "died"] * limit, "failed"]
    assert told[-1]["restart_count"] == limit
    assert len(provider.launches) == 1 + limit
    assert not restarter.is_started


async def test_the_first_attempt_is_made_at_once_and_the_others_after_longer_and_longer(
    watch: Watch,
) -> None:
    pauses = Pauses()
    with anyio.fail_after(60):
        restarter = await watch(
            LivesProvider((), KernelLaunchError("no")),
            sleep=pauses,
            random=lambda: 0.0,
            restart_limit=6,
            backoff_limit=3,
        )
        crash(restarter)
        async for _ in restarter.events():
            pass

    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]


async def test_up_to_a_half_of_a_pause_is_taken_off_at_random(watch: Watch) -> None:
    pauses = Pauses()
    numbers = iter([1.0, 0.5])
    with anyio.fail_after(60):
        restarter = await watch(
            LivesProvider((), KernelLaunchError("no")),
            sleep=pauses,
            random=lambda: next(numbers),
            restart_limit=3,
        )
        crash(restarter)
        async for _ in restarter.events():
            pass

    assert pauses == [0.25, 0.75]


@pytest.mark.parametrize(
    ("life", "error"),
    [
        (KernelLaunchError("no more of them"), KernelLaunchError),
        (ZeroDivisionError("a provider at fault"), KernelLaunchError),
        (("--exit-at-start", "3"), KernelLaunchError),
        (("--slow-start", "60"), StartupTimeoutError),
    ],
    ids=["no launch", "faulty provider", "exits at start", "is never ready"],
)
async def test_an_attempt_that_fails_counts(
    life: Any, error: type[Exception], watch: Watch
) -> None:
    provider = LivesProvider((), life)
    with anyio.fail_after(60):
        timeout = 0.5 if life == ("--slow-start", "60") else 30
        restarter = await watch(provider, restart_limit=3, sleep=Pauses(), startup_timeout=timeout)
        told = Told(restarter)
        crash(restarter)
        async for _ in restarter.events():
            pass

    assert told.names == ["died", "failed"]
    failed = told[-1]
    assert failed["event"] == "failed"
    assert failed["restart_count"] == 3
    assert isinstance(failed["error"], error)
    assert len(provider.launches) == 4


async def test_a_failed_attempt_is_followed_by_another(watch: Watch) -> None:
    provider = LivesProvider((), ("--exit-at-start", "3"), KernelLaunchError("no"), ())
    with anyio.fail_after(30):
        restarter = await watch(provider, sleep=Pauses())
        events = restarter.events()
        crash(restarter)
        await anext(events)
        restarted = await anext(events)

    assert restarted["event"] == "restarted"
    assert restarted["restart_count"] == 3


async def test_a_kernel_that_was_stable_has_all_attempts_again(watch: Watch) -> None:
    time = [0.0]
    counts: list[int] = []
    pauses = Pauses()
    with anyio.fail_after(30):
        restarter = await watch(
            LivesProvider(), clock=lambda: time[0], sleep=pauses, random=lambda: 0.0
        )
        events = restarter.events()
        for lived in (0, 9, 10, 9):
            time[0] += lived
            crash(restarter)
            await anext(events)
            counts.append((await anext(events))["restart_count"])

    assert counts == [1, 2, 1, 2]
    assert pauses == [0.5, 0.5]


@pytest.mark.parametrize(("wanted", "launches"), [(False, 1), (True, 2)])
async def test_a_kernel_that_exits_with_0_is_restarted_only_if_that_is_asked_for(
    wanted: bool, launches: int, watch: Watch
) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider, restart_on_exit_0=wanted)
        told = Told(restarter)
        events = restarter.events()
        async with KernelClient(provider.managers[0].connection_info) as client:
            client.execute("exit 0")
            await anext(events)
            if wanted:
                await anext(events)
            else:
                with pytest.raises(StopAsyncIteration):
                    await anext(events)

    died = told[0]
    assert died["event"] == "died"
    assert died["restarting"] is wanted
    assert restarter.is_started is wanted
    assert len(provider.launches) == launches


async def test_what_the_program_ends_through_a_client_is_not_restarted(watch: Watch) -> None:
    provider = LivesProvider(("--ignore-shutdown", "--ignore-sigterm"))
    with anyio.fail_after(30):
        restarter = await watch(provider)
        events = restarter.events()
        manager = provider.managers[0]
        async with KernelClient(manager.connection_info, manager) as client:
            stage = await client.shutdown_or_terminate(0.2)
        told = [event async for event in events]

    assert stage == "killed"
    assert [event["event"] for event in told] == ["died"]
    assert len(provider.launches) == 1


# Where the next kernel runs


async def test_the_id_the_directory_the_parameters_and_the_options_are_kept(
    watch: Watch, tmp_path: Path
) -> None:
    provider = LivesProvider()
    options = LaunchOptions(env={"A": "1"}, extra_arguments=("--no-welcome",))
    with anyio.fail_after(30):
        restarter = await watch(provider, cwd=tmp_path, launch_params={"n": 1}, options=options)
        events = restarter.events()
        kernel_id = restarter.kernel_manager.kernel_id
        crash(restarter)
        await anext(events)
        restarted = await anext(events)
        assert restarted["event"] == "restarted"
        async with KernelClient(restarted["connection_info"]) as client:
            await client.wait_for_ready()
            results = [await result_of(client, code) for code in ("cwd", "environ A")]
            argv = json.loads(await result_of(client, "argv"))

    assert restarter.kernel_manager.kernel_id == kernel_id
    assert results == [str(tmp_path), "1"]
    assert argv[-1] == "--no-welcome"
    assert [launch.launch_params for launch in provider.launches] == [{"n": 1}] * 2
    assert [launch.options.restart for launch in provider.launches] == [False, True]


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_a_client_of_another_program_goes_on_where_ports_and_key_are_used_again(
    transport: str, watch: Watch
) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider(), transport, reuse_ports=True)
        events = restarter.events()
        async with KernelClient(restarter.kernel_manager.connection_info) as stranger:
            await stranger.wait_for_ready()
            crash(restarter)
            await anext(events)
            restarted = await anext(events)
            reply = await stranger.kernel_info()

    assert restarted["event"] == "restarted"
    assert not restarted["new_ports"]
    assert reply.content["status"] == "ok"


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_without_being_asked_to_the_next_kernel_listens_elsewhere(
    transport: str, watch: Watch
) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider(), transport)
        before = restarter.kernel_manager.connection_info
        events = restarter.events()
        crash(restarter)
        await anext(events)
        restarted = await anext(events)

    assert restarted["event"] == "restarted"
    assert restarted["new_ports"]
    assert restarted["connection_info"].get("key") != before.get("key")


async def test_where_a_port_was_taken_meanwhile_new_ones_are_used_and_that_is_told(
    watch: Watch,
) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider(), "tcp", reuse_ports=True)
        port = restarter.kernel_manager.connection_info.get("shell_port", 0)
        takers: list[socket.socket] = []
        restarter.add_callback(
            lambda _: takers.append(socket.create_server(("127.0.0.1", port))), "died"
        )
        events = restarter.events()
        crash(restarter)
        await anext(events)
        restarted = await anext(events)
        takers[0].close()

    assert restarted["event"] == "restarted"
    assert restarted["restart_count"] == 1
    assert restarted["new_ports"]
    assert restarted["connection_info"].get("shell_port") != port


async def test_a_kernel_that_finds_its_port_taken_gets_another_one(
    watch: Watch, tmp_path: Path
) -> None:
    provider = LivesProvider((), ("--fail-starts", "1", str(tmp_path / "count")))
    with anyio.fail_after(30):
        restarter = await watch(provider, "tcp", reuse_ports=True)
        events = restarter.events()
        crash(restarter)
        await anext(events)
        restarted = await anext(events)

    assert restarted["event"] == "restarted"
    assert restarted["new_ports"]
    assert [bool(launch.options.connection_info) for launch in provider.launches] == [
        False,
        True,
        False,
    ]


async def test_after_a_failed_attempt_the_ports_are_not_tried_again(watch: Watch) -> None:
    provider = LivesProvider((), ("--exit-at-start", "3"), ())
    with anyio.fail_after(30):
        restarter = await watch(provider, reuse_ports=True, sleep=Pauses())
        events = restarter.events()
        crash(restarter)
        await anext(events)
        restarted = await anext(events)

    assert restarted["event"] == "restarted"
    assert restarted["new_ports"]


async def test_a_provider_that_takes_no_options_is_asked_for_none(watch: Watch) -> None:
    class Plain(LivesProvider):
        async def launch(  # type: ignore[override]
            self, name: str, cwd: Any = None, launch_params: Any = None
        ) -> tuple[ConnectionInfo, KernelManagerABC]:
            return await super().launch(name, cwd, launch_params)

    provider = Plain()
    with anyio.fail_after(30):
        restarter = await watch(provider, reuse_ports=True)
        events = restarter.events()
        crash(restarter)
        await anext(events)
        restarted = await anext(events)

    assert restarted["event"] == "restarted"
    assert restarted["new_ports"]
    assert len(provider.launches) == 2


# Stopping


def wait_for_the_end_of(manager: KernelManagerABC) -> None:
    """Block the event loop until the process has ended."""
    os.waitid(os.P_PID, manager.pid, os.WEXITED | os.WNOWAIT)  # type: ignore[attr-defined]


async def let_everything_happen() -> None:
    for _ in range(100):
        await anyio.lowlevel.checkpoint()


async def test_a_kernel_that_ends_as_the_restarter_is_stopped_is_not_restarted(
    watch: Watch,
) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        told = Told(restarter)
        # The watching waits for the end by now; it is woken up in the step that stops it.
        await let_everything_happen()
        crash(restarter)
        wait_for_the_end_of(restarter.kernel_manager)
        await anyio.lowlevel.checkpoint()
        restarter.stop()
        await let_everything_happen()

    assert len(provider.launches) == 1
    assert "restarted" not in told.names


class StopsAtOnce(KernelRestarter):
    """Is stopped in each step in which a restart begins."""

    def _begin(self, restart: Callable[[], Awaitable[bool]], *, auto: bool) -> BackgroundTask[bool]:
        begun = super()._begin(restart, auto=auto)
        self.stop()
        return begun


@pytest.mark.parametrize("auto", [False, True])
async def test_a_restart_that_is_stopped_in_the_step_that_begins_it_leaves_the_kernel(
    auto: bool,
) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        manager, client = await start_kernel_async("lives/ipc", finder=provider.finder)
        client.close()
        async with StopsAtOnce(manager, "lives/ipc", provider.finder) as restarter:
            with pytest.raises(KernelStateError, match="stopping"):
                await restarter.do_restart(auto)
        alive = await manager.is_alive()
        await end_all(provider)

    assert alive


async def test_a_restart_follows_one_that_is_being_broken_off(watch: Watch) -> None:
    provider = LivesProvider((), ("--slow-start", "60"), ())
    with anyio.fail_after(30):
        restarter = await watch(provider)
        launched = anyio.Event()
        provider.make_odd = lambda _: launched.set()
        crash(restarter)
        await launched.wait()
        restarter.stop()
        restarter.start()
        ready = await restarter.do_restart()
        alive = [await manager.is_alive() for manager in provider.managers]

    assert ready
    assert alive == [False, False, True]


@pytest.mark.parametrize("steps", range(12))
async def test_a_restart_that_is_stopped_after_any_step_leaves_no_kernel(
    steps: int, watch: Watch
) -> None:
    provider = LivesProvider((), ("--slow-start", "60"))
    with anyio.fail_after(30):
        restarter = await watch(provider)
        events = restarter.events()
        crash(restarter)
        await anext(events)
        for _ in range(steps):
            await anyio.lowlevel.checkpoint()
        await restarter.__aexit__()

    assert not any([await manager.is_alive() for manager in provider.managers])


async def test_a_kernel_that_becomes_ready_as_the_restarter_is_stopped_is_ended(
    watch: Watch,
) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        told = Told(restarter)
        provider.make_odd = lambda manager: setattr(manager, "on_ready", restarter.stop)
        crash(restarter)
        async for _ in restarter.events():
            pass
        await restarter.__aexit__()

    assert told.names == ["died"]
    assert len(provider.managers) == 2
    assert not await provider.managers[1].is_alive()


@pytest.mark.parametrize("when", ["died", "launch"])
async def test_a_restarter_that_a_callback_stops_restarts_nothing(when: str, watch: Watch) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        told = Told(restarter)
        if when == "died":
            restarter.add_callback(lambda _: restarter.stop(), "died")
        else:
            provider.about_to_launch = restarter.stop
        crash(restarter)
        async for _ in restarter.events():
            pass
        await restarter.__aexit__()

    assert told.names == ["died"]
    assert not any([await manager.is_alive() for manager in provider.managers])
    assert len(provider.launches) == (1 if when == "died" else 2)


async def test_a_pause_ends_with_the_restarter(watch: Watch) -> None:
    provider = LivesProvider((), KernelLaunchError("no"))
    pausing = anyio.Event()

    async def pause(_: float) -> None:
        pausing.set()
        await anyio.sleep_forever()

    with anyio.fail_after(30):
        restarter = await watch(provider, sleep=pause)
        crash(restarter)
        await pausing.wait()
        await restarter.__aexit__()

    assert len(provider.launches) == 2


@pytest.mark.parametrize("crashes", [False, True])
async def test_a_block_leaves_no_task(crashes: bool) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        manager, client = await start_kernel_async("lives/ipc", finder=provider.finder)
        client.close()
        await let_everything_happen()
        before = {task.id for task in anyio.get_running_tasks()}
        async with KernelRestarter(manager, "lives/ipc", provider.finder) as restarter:
            restarter.add_callback(lambda _: anyio.sleep(0.01), "died")
            if crashes:
                events = restarter.events()
                crash(restarter)
                await anext(events)
            await let_everything_happen()
        await let_everything_happen()
        left = [task.name for task in anyio.get_running_tasks() if task.id not in before]
        await end_all(provider)

    assert left == []


async def test_a_restarter_can_be_started_again(watch: Watch) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        restarter.stop()
        restarter.stop()
        restarter.start()
        restarter.start()
        told = Told(restarter)
        events = restarter.events()
        crash(restarter)
        await anext(events)
        await anext(events)

    assert told.names == ["died", "restarted"]


async def test_a_restarter_that_is_started_again_takes_up_the_restart_that_was_broken_off(
    watch: Watch,
) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        launching = anyio.Event()
        provider.about_to_launch = launching.set
        crash(restarter)
        await launching.wait()
        restarter.stop()
        restarter.start()
        told = [event["event"] async for event in until_settled(restarter)]

        assert told == ["died", "restarted"]
        assert await restarter.kernel_manager.is_alive()


def test_the_end_of_the_event_loop_ends_the_watching_and_not_the_kernel(
    anyio_backend: str, runtime_dir: Path
) -> None:
    provider = LivesProvider()

    async def watch_a_moment() -> None:
        manager, client = await start_kernel_async("lives/ipc", finder=provider.finder)
        client.close()
        restarter = KernelRestarter(manager, "lives/ipc", provider.finder)
        restarter.start()
        await let_everything_happen()

    anyio.run(watch_a_moment, backend=anyio_backend)

    async def is_alive() -> bool:
        alive = await provider.managers[0].is_alive()
        await end_all(provider)
        return alive

    assert anyio.run(is_alive, backend=anyio_backend)
    assert len(provider.launches) == 1


# Managers that can do less


async def test_where_the_end_cannot_be_waited_for_it_is_looked_for_now_and_then(
    watch: Watch,
) -> None:
    provider = LivesProvider()
    provider.make_odd = lambda manager: setattr(manager, "wait_error", NotImplementedError())
    looked: list[float] = []

    async def look_later(seconds: float) -> None:
        looked.append(seconds)
        if len(looked) == 3:
            crash(restarter)
            wait_for_the_end_of(restarter.kernel_manager)

    with anyio.fail_after(30):
        manager, client = await start_kernel_async("lives/ipc", finder=provider.finder)
        client.close()
        restarter = KernelRestarter(
            manager, "lives/ipc", provider.finder, time_to_dead=7, sleep=look_later
        )
        told = Told(restarter)
        restarter.add_callback(lambda _: restarter.stop(), "restarted")
        async with restarter:
            async for _ in restarter.events():
                pass
        await end_all(provider)

    assert looked == [7, 7, 7]
    assert told.names == ["died", "restarted"]


async def test_a_manager_that_fails_is_asked_again(
    watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    provider = LivesProvider()

    def fail(manager: OddManager) -> None:
        if len(provider.managers) == 1:
            manager.wait_error = OSError("unreachable")
            manager.is_alive_errors = [OSError("unreachable")] * 2

    provider.make_odd = fail
    pauses = Pauses()
    with anyio.fail_after(30):
        restarter = await watch(provider, sleep=pauses)
        events = restarter.events()
        crash(restarter)
        names = [(await anext(events))["event"], (await anext(events))["event"]]

    assert names == ["died", "restarted"]
    assert pauses[:2] == [3.0, 3.0]
    assert "cannot be waited for" in caplog.text


# By hand


async def test_a_restart_by_hand_counts_no_attempt_and_tells_that_it_was_asked_for(
    watch: Watch,
) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        told = Told(restarter)
        before = restarter.kernel_manager
        ready = await restarter.do_restart()
        alive = [await before.is_alive(), await restarter.kernel_manager.is_alive()]

    assert ready
    assert told.names == ["restarted"]
    restarted = told[0]
    assert restarted["event"] == "restarted"
    assert not restarted["auto"]
    assert restarted["restart_count"] == 0
    assert alive == [False, True]


async def test_a_kernel_that_was_restarted_by_hand_is_watched(watch: Watch) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        await restarter.do_restart()
        events = restarter.events()
        crash(restarter)
        names = [(await anext(events))["event"], (await anext(events))["event"]]

    assert names == ["died", "restarted"]


async def test_restarts_by_hand_at_the_same_time_are_one(watch: Watch) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(restarter.do_restart)

    assert len(provider.launches) == 2


async def test_a_restart_by_hand_goes_on_when_its_caller_is_cancelled(watch: Watch) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        events = restarter.events()
        with anyio.CancelScope() as scope:
            provider.about_to_launch = scope.cancel
            await restarter.do_restart()
        restarted = await anext(events)

    assert scope.cancelled_caught
    assert restarted["event"] == "restarted"


async def test_a_restart_by_hand_that_fails_raises_and_is_not_tried_again(watch: Watch) -> None:
    provider = LivesProvider((), ("--exit-at-start", "3"), ())
    with anyio.fail_after(30):
        restarter = await watch(provider)
        told = Told(restarter)
        with pytest.raises(KernelLaunchError, match="exit code 3"):
            await restarter.do_restart()
        launches, told_then = len(provider.launches), list(told)
        await restarter.do_restart()
        events = restarter.events()
        crash(restarter)
        after = [(await anext(events))["event"], (await anext(events))["event"]]

    assert launches == 2
    assert told_then == []
    assert after == ["died", "restarted"]


async def test_an_automatic_restart_that_is_asked_for_counts(watch: Watch) -> None:
    provider = LivesProvider((), KernelLaunchError("no"))
    with anyio.fail_after(30):
        restarter = await watch(provider, restart_limit=2, sleep=Pauses())
        told = Told(restarter)
        ready = await restarter.do_restart(auto=True)

    assert not ready
    assert told.names == ["failed"]
    assert len(provider.launches) == 3


async def test_a_restart_by_hand_takes_the_place_of_an_automatic_one(watch: Watch) -> None:
    provider = LivesProvider((), KernelLaunchError("no"), ())
    pausing = anyio.Event()

    async def pause(_: float) -> None:
        pausing.set()
        await anyio.sleep_forever()

    with anyio.fail_after(30):
        restarter = await watch(provider, sleep=pause)
        told = Told(restarter)
        crash(restarter)
        await pausing.wait()
        await restarter.do_restart()
        events = restarter.events()
        crash(restarter)
        after = [(await anext(events))["event"], (await anext(events))["event"]]

    assert told.names == ["died", "restarted", *after]
    assert after == ["died", "restarted"]
