"""Callbacks for the events of a restarter, iterations over them, and watching by other means."""

from __future__ import annotations

import gc
import os
import signal

import anyio
import anyio.lowlevel
import pytest

from kernel_mgmt import KernelRestarter, KernelRestarterBase, RestartEvent, start_kernel_async
from tests.lives_provider import LivesProvider

from .conftest import Told, Watch, end_all

pytestmark = pytest.mark.anyio


async def crash_and_wait(restarter: KernelRestarter) -> None:
    """Have the kernel die, and wait until it was restarted."""
    events = restarter.events()
    os.kill(restarter.kernel_manager.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    await anext(events)
    await anext(events)


async def test_a_callback_is_called_for_its_event_alone_and_until_it_is_removed(
    watch: Watch,
) -> None:
    told: list[RestartEvent] = []
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        restarter.add_callback(told.append, "died")
        await crash_and_wait(restarter)
        restarter.remove_callback(told.append, "restarted")  # is not there
        restarter.remove_callback(told.append, "died")
        await crash_and_wait(restarter)

    assert [event["event"] for event in told] == ["died"]


async def test_a_callback_for_an_event_that_there_is_not_is_refused(watch: Watch) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        with pytest.raises(ValueError, match="no event 'dead'; use died, restarted or failed"):
            restarter.add_callback(print, "dead")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_callback_that_raises_is_logged_and_hurts_nobody(
    kind: str, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: RestartEvent) -> None:
        raise ZeroDivisionError("a callback at fault")

    async def fail_async(_: RestartEvent) -> None:
        raise ZeroDivisionError("a callback at fault")

    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        restarter.add_callback(fail if kind == "plain" else fail_async, "died")
        told = Told(restarter)
        await crash_and_wait(restarter)
        await restarter.__aexit__()

    assert told.names == ["died", "restarted"]
    assert "a callback at fault" in caplog.text


async def test_coroutine_functions_are_run_one_after_the_other(watch: Watch) -> None:
    log: list[str] = []
    done = anyio.Event()

    async def note(event: RestartEvent) -> None:
        log.append(f"begin {event['event']}")
        await anyio.lowlevel.checkpoint()
        log.append(f"end {event['event']}")
        if event["event"] == "restarted":
            done.set()

    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        restarter.add_callback(note, "died")
        restarter.add_callback(note, "restarted")
        await crash_and_wait(restarter)
        await done.wait()

    assert log == ["begin died", "end died", "begin restarted", "end restarted"]


async def test_a_restart_waits_for_no_callback(watch: Watch) -> None:
    going_on = anyio.Event()

    async def wait(_: RestartEvent) -> None:
        await going_on.wait()

    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        restarter.add_callback(wait, "died")
        await crash_and_wait(restarter)
        going_on.set()


async def test_a_callback_may_restart_by_hand(watch: Watch) -> None:
    done = anyio.Event()

    async def restart_again(event: RestartEvent) -> None:
        if event["event"] == "restarted" and event["auto"]:
            await restarter.do_restart()
            done.set()

    provider = LivesProvider()
    with anyio.fail_after(30):
        restarter = await watch(provider)
        restarter.add_callback(restart_again, "restarted")
        await crash_and_wait(restarter)
        await done.wait()

    assert len(provider.launches) == 3


async def test_each_iteration_yields_every_event_from_its_beginning_on(watch: Watch) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        early = restarter.events()
        await crash_and_wait(restarter)
        late = restarter.events()
        await crash_and_wait(restarter)
        restarter.stop()
        counts = [
            [event["restart_count"] async for event in events if event["event"] == "restarted"]
            for events in (early, late)
        ]

    assert counts == [[1, 2], [2]]


async def test_an_iteration_may_be_left_and_cancelled(watch: Watch) -> None:
    with anyio.fail_after(30):
        restarter = await watch(LivesProvider())
        events = restarter.events()
        with anyio.move_on_after(0):
            await anext(events)
        await crash_and_wait(restarter)
        name = (await anext(events))["event"]
        del events
        gc.collect()
        await crash_and_wait(restarter)

    assert name == "died"


async def test_a_subclass_may_learn_of_the_end_by_other_means() -> None:
    class Asked(KernelRestarterBase):
        def start(self) -> None:
            super().start()

        def stop(self) -> None:
            super().stop()

    provider = LivesProvider()
    with anyio.fail_after(30):
        manager, client = await start_kernel_async("lives/ipc", finder=provider.finder)
        client.close()
        restarter = Asked(manager, "lives/ipc", provider.finder)
        restarter.start()
        told: list[RestartEvent] = []
        restarter.add_callback(told.append, "restarted")
        await restarter.poll()
        launches = [len(provider.launches)]
        os.kill(manager.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        await manager.wait()
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(restarter.poll)
        launches.append(len(provider.launches))
        restarter.stop()
        await restarter.poll()
        await end_all(provider)

    assert launches == [1, 2]
    assert len(told) == 1
    assert restarter.kernel_manager is provider.managers[1]


def test_the_end_of_the_event_loop_ends_the_callbacks(anyio_backend: str) -> None:
    provider = LivesProvider()
    log: list[str] = []

    async def note(event: RestartEvent) -> None:
        log.append(event["event"])
        await anyio.sleep_forever()

    async def run() -> None:
        manager, client = await start_kernel_async("lives/ipc", finder=provider.finder)
        client.close()
        restarter = KernelRestarter(manager, "lives/ipc", provider.finder)
        restarter.add_callback(note, "died")
        restarter.add_callback(note, "restarted")
        restarter.start()
        await crash_and_wait(restarter)
        restarter.stop()

    anyio.run(run, backend=anyio_backend)
    gc.collect()
    anyio.run(end_all, provider, backend=anyio_backend)

    assert log == ["died"]
