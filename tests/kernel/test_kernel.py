"""A kernel over its lives, one operation at a time."""

from __future__ import annotations

import json
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from kernel_mgmt import (
    Kernel,
    KernelDiedError,
    KernelLaunchError,
    KernelState,
    KernelStateError,
    LaunchOptions,
    Message,
    RestartPolicy,
    ShutdownOutcome,
)
from tests.lives_provider import LivesProvider

pytestmark = pytest.mark.anyio


async def result_of(kernel: Kernel, code: str) -> str:
    """What a command of the fake kernel has for its result."""
    outputs = await kernel.client.execute(code).outputs()
    text: str = outputs[0]["data"]["text/plain"]
    return text


async def test_a_block_starts_the_kernel_and_shuts_it_down() -> None:
    with anyio.fail_after(30):
        async with Kernel("lives/ipc", finder=LivesProvider().finder) as kernel:
            reply = await kernel.client.execute("result 1")
            alive = await kernel.is_alive()

    assert reply.content["status"] == "ok"
    assert alive
    assert kernel.state == "dead"
    assert kernel.exit_status is not None
    assert kernel.exit_status.code == 0


async def tasks_added_to(before: set[int]) -> list[str]:
    """The tasks that there are besides, when those that were cancelled have had time to end."""
    for _ in range(100):
        await anyio.lowlevel.checkpoint()
    return [str(task.name) for task in anyio.get_running_tasks() if task.id not in before]


@pytest.mark.parametrize("last", ["", "kill", "exit 0"])
async def test_a_block_leaves_no_task(last: str) -> None:
    provider = LivesProvider()
    before = {task.id for task in anyio.get_running_tasks()}
    with anyio.fail_after(30):
        async with Kernel("lives/ipc", finder=provider.finder, autorestart=True) as kernel:
            kernel.add_callback(lambda _: anyio.sleep(0.01), "died")
            if last:
                kernel.client.execute(last)
                await kernel.wait_for("restarting" if last == "kill" else "dead")
        left = await tasks_added_to(before)

    assert left == []


async def test_the_id_and_the_client_stay_over_all_lives() -> None:
    provider = LivesProvider()
    kernel = Kernel("lives/ipc", finder=provider.finder)
    with anyio.fail_after(30):
        await kernel.start()
        client = kernel.client
        pids = [await result_of(kernel, "pid")]
        await kernel.restart()
        pids.append(await result_of(kernel, "pid"))
        await kernel.shutdown()
        await kernel.start()
        pids.append(await result_of(kernel, "pid"))
        await kernel.shutdown()

    assert kernel.client is client
    assert len(set(pids)) == 3
    assert {manager.kernel_id for manager in provider.managers} == {kernel.kernel_id}
    assert [launch.options.restart for launch in provider.launches] == [False, True, True]


async def test_the_state_is_followed_and_has_a_reason() -> None:
    seen: list[KernelState] = []
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder)
        seen.append(kernel.state)
        first_reason = kernel.reason
        async with anyio.create_task_group() as tasks:

            async def see(state: KernelState) -> None:
                seen.append(await kernel.wait_for(state))

            tasks.start_soon(kernel.start)
            await see("starting")
            await see("idle")
            running = kernel.client.execute("sleep 60")
            await see("busy")
            await kernel.interrupt()
            await running
            await see("idle")
            tasks.start_soon(kernel.restart)
            await see("restarting")
            await see("idle")
            tasks.start_soon(kernel.shutdown)
            await see("stopping")
            await see("dead")

    assert seen == [
        "dead",
        "starting",
        "idle",
        "busy",
        "idle",
        "restarting",
        "idle",
        "stopping",
        "dead",
    ]
    assert first_reason == "it has not been started"
    assert kernel.reason == "it was shut down (shutdown)"


async def test_the_beginning_of_a_state_and_the_last_activity_are_told() -> None:
    ticks = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(100_000))
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder, now=lambda: next(ticks))
        made = kernel.since
        async with kernel:
            await kernel.wait_for("idle")
            idle = kernel.since
            active = kernel.last_activity
            await kernel.client.execute("print a")
            later = kernel.last_activity

    assert made < active < later < kernel.since
    assert made < idle < kernel.since


async def test_a_kernel_that_dies_is_dead_and_tells_how() -> None:
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder)
        await kernel.start()
        pending = kernel.client.execute("kill")
        await kernel.wait_for("dead")
        with pytest.raises(KernelDiedError):
            await pending
        outcome = await kernel.shutdown()

    assert kernel.exit_status is not None
    assert kernel.exit_status.signal == signal.SIGKILL
    assert kernel.reason == "it died (killed by SIGKILL)"
    assert outcome == ShutdownOutcome("dead", kernel.exit_status)


async def test_a_kernel_that_dies_is_cleaned_up_after(runtime_dir: Path) -> None:
    with anyio.fail_after(30):
        kernel = Kernel("lives/tcp", finder=LivesProvider().finder)
        await kernel.start()
        kernel.client.execute("kill")
        events = kernel.events()
        async for _ in events:  # ends when all is done
            pass

    assert os.listdir(runtime_dir) == []


async def test_a_kernel_that_dies_is_started_again_if_asked_to_be() -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        async with Kernel("lives/ipc", finder=provider.finder, autorestart=True) as kernel:
            client, events = kernel.client, kernel.events()
            before = await result_of(kernel, "pid")
            client.execute("kill")
            told = [await anext(events), await anext(events)]
            after = await result_of(kernel, "pid")

    assert [event["event"] for event in told] == ["died", "restarted"]
    assert told[1]["event"] == "restarted"
    assert told[1]["manager"] is provider.managers[1]
    assert kernel.client is client
    assert before != after


async def test_a_kernel_that_dies_again_and_again_is_given_up() -> None:
    provider = LivesProvider((), ("--exit-at-start", "3"))
    policy = RestartPolicy(restart_limit=3, backoff=0)
    with anyio.fail_after(60):
        kernel = Kernel(
            "lives/ipc", finder=provider.finder, autorestart=True, restart_policy=policy
        )
        await kernel.start()
        events = kernel.events()
        kernel.client.execute("kill")
        told = [event async for event in events]

    assert [event["event"] for event in told] == ["died", "failed"]
    assert told[-1]["restart_count"] == 3
    assert len(provider.launches) == 4
    assert kernel.state == "dead"
    assert kernel.reason == "it was given up after 3 attempts to restart it"
    assert kernel.exit_status is not None
    assert kernel.exit_status.code == 3


async def test_a_kernel_whose_code_ends_it_is_not_started_again() -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True)
        await kernel.start()
        kernel.client.execute("exit 0")
        await kernel.wait_for("dead")
        await kernel.shutdown()

    assert len(provider.launches) == 1


async def test_a_failed_start_raises_and_leaves_the_kernel_dead() -> None:
    provider = LivesProvider(("--exit-at-start", "3", "--stderr", "no licence"), ())
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True)
        with pytest.raises(KernelLaunchError, match=r"exit code 3[\s\S]*no licence"):
            await kernel.start()
        state, status, reason = kernel.state, kernel.exit_status, kernel.reason
        await kernel.start()
        await kernel.shutdown()

    assert state == "dead"
    assert status is not None
    assert status.code == 3
    assert "exit code 3" in reason


async def test_a_crash_during_a_restart_raises_and_leaves_the_kernel_dead() -> None:
    provider = LivesProvider((), ("--exit-at-start", "3"))
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True)
        await kernel.start()
        with pytest.raises(KernelLaunchError, match="exit code 3"):
            await kernel.restart()

    assert kernel.state == "dead"
    assert len(provider.launches) == 2


@pytest.mark.parametrize(
    ("switches", "stage"),
    [
        ((), "shutdown"),
        (("--ignore-shutdown",), "terminated"),
        (("--ignore-shutdown", "--ignore-sigterm"), "killed"),
    ],
)
async def test_the_outcome_of_a_shutdown_says_what_ended_the_kernel(
    switches: tuple[str, ...], stage: str
) -> None:
    with anyio.fail_after(30):
        timeout = 0.3 if switches else 20
        kernel = Kernel(
            "lives/ipc", finder=LivesProvider(switches).finder, shutdown_timeout=timeout
        )
        await kernel.start()
        outcome = await kernel.shutdown()

    assert outcome.stage == stage
    assert outcome.exit_status == kernel.exit_status
    assert outcome.exit_status is not None


async def test_a_shutdown_sends_no_sigint() -> None:
    # It would end this one with code 0 before the request could.
    provider = LivesProvider(("--sigint", "die"))
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder)
        await kernel.start()
        outcome = await kernel.shutdown()

    assert outcome.stage == "shutdown"
    assert outcome.exit_status is not None
    assert outcome.exit_status.code == 0


async def test_a_restart_is_told_to_the_kernel_and_a_shutdown_is_not_one() -> None:
    replies: list[bool] = []

    def note(message: Message) -> None:
        if message.msg_type == "shutdown_reply":
            replies.append(message.content["restart"])

    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder)
        await kernel.start()
        kernel.client.add_handler(note, "iopub")
        await kernel.restart()
        await kernel.shutdown()
        await kernel.start()
        await kernel.shutdown(now=True)

    assert replies == [True, False]


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_a_restart_keeps_ports_and_key_unless_new_ones_are_asked_for(transport: str) -> None:
    with anyio.fail_after(30):
        async with Kernel(f"lives/{transport}", finder=LivesProvider().finder) as kernel:
            first = kernel.connection_info
            same = await kernel.restart()
            second = kernel.connection_info
            other = await kernel.restart(new_ports=True)
            third = kernel.connection_info

    assert first == second == same["connection_info"]
    assert not same["new_ports"]
    assert other["new_ports"]
    assert first is not None
    assert third is not None
    assert first.get("key") != third.get("key")
    ports = {name for name in first if name.endswith("_port")}
    assert all(first[name] != third[name] for name in ports)  # type: ignore[literal-required]


async def test_a_start_after_a_shutdown_listens_where_it_is_told_to_and_a_restart_elsewhere() -> (
    None
):
    with anyio.fail_after(30):
        async with Kernel("lives/tcp", finder=LivesProvider().finder) as other:
            place = other.connection_info
        options = LaunchOptions(connection_info=place)
        async with Kernel("lives/tcp", finder=LivesProvider().finder, options=options) as kernel:
            infos = [kernel.connection_info]
            await kernel.shutdown()
            await kernel.start()
            infos.append(kernel.connection_info)
            await kernel.restart(new_ports=True)
            third = kernel.connection_info

    assert infos == [place, place]
    assert third is not None
    assert place is not None
    assert third.get("shell_port") != place.get("shell_port")


async def test_directory_parameters_options_and_environment_outlast_a_restart(
    tmp_path: Path,
) -> None:
    provider = LivesProvider()
    options = LaunchOptions(env={"A": "1"}, extra_arguments=("--no-welcome",))
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", tmp_path, {"n": 1}, finder=provider.finder, options=options)
        async with kernel:
            await kernel.restart(env={"B": "2"})
            env = [await result_of(kernel, f"environ {name}") for name in "AB"]
            await kernel.restart()
            env += [await result_of(kernel, f"environ {name}") for name in "AB"]
            cwd = await result_of(kernel, "cwd")
            argv = json.loads(await result_of(kernel, "argv"))

    assert env == ["1", "2", "1", "2"]
    assert cwd == str(tmp_path)
    assert argv[-1] == "--no-welcome"
    assert [launch.launch_params for launch in provider.launches] == [{"n": 1}] * 3


async def test_what_is_set_holds_from_the_next_launch_on(tmp_path: Path) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        async with Kernel("lives/ipc", finder=provider.finder) as kernel:
            kernel.cwd = tmp_path
            kernel.launch_params = {"n": 2}
            kernel.options = LaunchOptions(env={"C": "3"})
            await kernel.restart()
            cwd, env = await result_of(kernel, "cwd"), await result_of(kernel, "environ C")

    assert (cwd, env) == (str(tmp_path), "3")
    assert provider.launches[-1].launch_params == {"n": 2}


async def test_a_signal_reaches_the_kernel() -> None:
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder)
        await kernel.start()
        await kernel.signal(signal.SIGTERM)
        await kernel.wait_for("dead")
        await kernel.shutdown()

    assert kernel.exit_status is not None
    assert kernel.exit_status.signal == signal.SIGTERM


async def test_a_kernel_that_was_never_launched_can_not_be_talked_to() -> None:
    kernel = Kernel("lives/ipc", finder=LivesProvider().finder)

    with pytest.raises(KernelStateError, match="talk to"):
        _ = kernel.client
    for operation in (kernel.interrupt, lambda: kernel.signal(2)):
        with pytest.raises(KernelStateError, match="it is dead"):
            await operation()
    assert await kernel.shutdown() == ShutdownOutcome("dead", None)
