"""Operations on a kernel that overlap, or whose callers are cancelled."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
import pytest

from kernel_mgmt import (
    ExitStatus,
    Kernel,
    KernelLaunchError,
    KernelManagementError,
    KernelStateError,
    Message,
    RestartPolicy,
    ShutdownOutcome,
)
from tests.lives_provider import LivesProvider

pytestmark = pytest.mark.anyio

Operate: TypeAlias = Callable[[Kernel], Coroutine[Any, Any, object]]

OPERATIONS: Mapping[str, Operate] = {
    "start": Kernel.start,
    "restart": Kernel.restart,
    "restart now": partial(Kernel.restart, now=True),
    "interrupt": Kernel.interrupt,
    "signal": partial(Kernel.signal, signum=signal.SIGCONT),
    "shutdown": Kernel.shutdown,
    "kill": Kernel.kill,
}
BEGINNINGS = ("start", "restart", "restart now")
ENDINGS = ("shutdown", "kill")
# It has run: that is not for the ports, with which another attempt would be made.
NO_LAUNCH = KernelLaunchError("no", exit_status=ExitStatus(code=1))
PAIRS = list(product(OPERATIONS, repeat=2))


class Done:
    """What came of operations.

    :ivar order: the operations, in the order in which they were asked for
    :ivar outcomes: what each has returned, or the error that has refused it
    """

    def __init__(self, kernel: Kernel) -> None:
        self.order: list[str] = []
        self.outcomes: dict[int, object] = {}
        self._kernel = kernel

    async def note(self, name: str) -> None:
        number = len(self.order)
        self.order.append(name)
        try:
            self.outcomes[number] = await OPERATIONS[name](self._kernel)
        except KernelStateError as error:
            self.outcomes[number] = error

    def refused(self, number: int) -> bool:
        return isinstance(self.outcomes[number], KernelStateError)


def expected(first: str, second: str, runs: bool) -> tuple[bool, bool, bool, int]:
    """What comes of two operations that are asked for before either has begun.

    :return: whether each is refused, whether the kernel runs then, and how often it was launched
    """
    if first in ENDINGS:
        return False, second not in ENDINGS, False, 0
    if first in BEGINNINGS and not (first == "start" and runs):
        if second in ENDINGS:
            return True, False, False, 0
        if second in ("interrupt", "signal"):
            return False, True, True, 1
        return False, False, True, 1 if second in (first, "start") else 2
    # The first is done at once, or refused.
    refused = not runs and first != "start"
    if second in ENDINGS:
        return refused, False, False, 0
    if second in BEGINNINGS:
        return refused, False, True, 0 if second == "start" and runs else 1
    return refused, not runs, runs, 0


def expected_stage(first: str, second: str, runs: bool) -> str:
    """What ends the kernel if one of the two is to end it."""
    if not runs:
        return "dead"
    # A restart that is broken off before it begins ends nothing.
    return "killed" if "kill" in (first, second) else "shutdown"


@pytest.mark.parametrize("runs", [False, True], ids=["dead", "running"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_two_operations_at_once_have_one_outcome(first: str, second: str, runs: bool) -> None:
    provider = LivesProvider()
    with anyio.fail_after(60):
        kernel = Kernel("lives/ipc", finder=provider.finder, shutdown_timeout=20)
        if runs:
            await kernel.start()
        before = len(provider.launches)
        done = Done(kernel)
        # Both are asked for before the task of either begins; trio has them in any order.
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(done.note, first)
            tasks.start_soon(done.note, second)
        runs_then, launches = await kernel.is_alive(), len(provider.launches) - before
        state = kernel.state
        await kernel.shutdown()

    first, second = done.order
    assert (done.refused(0), done.refused(1), runs_then, launches) == expected(first, second, runs)
    assert (state != "dead") is runs_then
    outcomes = [each for each in done.outcomes.values() if isinstance(each, ShutdownOutcome)]
    assert {outcome.stage for outcome in outcomes} <= {expected_stage(first, second, runs)}
    assert len(set(outcomes)) <= 1


@pytest.mark.parametrize("first", BEGINNINGS)
@pytest.mark.parametrize("second", OPERATIONS)
async def test_an_operation_comes_while_a_kernel_is_launched(first: str, second: str) -> None:
    provider = LivesProvider()
    with anyio.fail_after(60):
        kernel = Kernel("lives/ipc", finder=provider.finder, shutdown_timeout=20)
        done = Done(kernel)
        async with anyio.create_task_group() as tasks:
            launching = anyio.Event()
            provider.about_to_launch = launching.set
            tasks.start_soon(done.note, first)
            await launching.wait()
            tasks.start_soon(done.note, second)
        runs, launches = await kernel.is_alive(), len(provider.launches)
        await kernel.shutdown()

    first_refused, second_refused, runs_then, _ = expected(first, second, False)
    joins = second not in ("restart", "restart now") or second == first
    assert (done.refused(0), done.refused(1), runs) == (first_refused, second_refused, runs_then)
    assert launches == (1 if joins else 2)
    if second in ENDINGS:
        outcome = done.outcomes[1]
        assert isinstance(outcome, ShutdownOutcome)
        # It may come before there is a process, or after.
        assert outcome.stage in ("dead", "killed")


@pytest.mark.parametrize("first", ["restart", "shutdown"])
@pytest.mark.parametrize("second", OPERATIONS)
async def test_an_operation_comes_while_a_kernel_is_ended(first: str, second: str) -> None:
    provider = LivesProvider(("--ignore-shutdown",), ())
    with anyio.fail_after(60):
        # Only what hurries would end the kernel before the test does.
        hurries = second == "kill"
        kernel = Kernel(
            "lives/ipc", finder=provider.finder, shutdown_timeout=50 if hurries else 0.3
        )
        await kernel.start()
        done = Done(kernel)
        async with anyio.create_task_group() as tasks:
            asked = anyio.Event()

            def note(_: Message, asked: anyio.Event = asked) -> None:
                asked.set()

            kernel.client.add_handler(note, "control")
            tasks.start_soon(done.note, first)
            await asked.wait()
            tasks.start_soon(done.note, second)
        runs = await kernel.is_alive()
        await kernel.shutdown(now=True)

    assert (done.refused(0), done.refused(1), runs) == expected(first, second, True)[:3]
    if second in ENDINGS:
        outcome = done.outcomes[1]
        assert isinstance(outcome, ShutdownOutcome)
        assert outcome.stage == ("killed" if hurries else "terminated")


async def test_two_shutdowns_join() -> None:
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder)
        await kernel.start()
        done = Done(kernel)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(done.note, "shutdown")

    assert len({id(outcome) for outcome in done.outcomes.values()}) == 1


async def test_a_shutdown_ends_the_pause_before_an_automatic_restart() -> None:
    pausing = anyio.Event()

    async def pause(_: float) -> None:
        pausing.set()
        await anyio.sleep_forever()

    provider = LivesProvider((), NO_LAUNCH)
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True, sleep=pause)
        await kernel.start()
        kernel.client.execute("kill")
        await pausing.wait()
        state = kernel.state
        outcome = await kernel.shutdown()

    assert state == "restarting"
    assert outcome.stage == "dead"
    assert len(provider.launches) == 2


@pytest.mark.parametrize("name", BEGINNINGS)
async def test_a_start_takes_the_place_of_an_automatic_one(name: str) -> None:
    pausing = anyio.Event()

    async def pause(_: float) -> None:
        pausing.set()
        await anyio.sleep_forever()

    provider = LivesProvider((), NO_LAUNCH, ())
    with anyio.fail_after(30):
        async with Kernel(
            "lives/ipc", finder=provider.finder, autorestart=True, sleep=pause
        ) as kernel:
            kernel.client.execute("kill")
            await pausing.wait()
            await OPERATIONS[name](kernel)
            reply = await kernel.client.execute("result 1")

    assert reply.content["status"] == "ok"
    assert len(provider.launches) == 3


async def test_a_death_that_an_operation_causes_is_not_told_and_restarts_nothing() -> None:
    provider = LivesProvider(("--ignore-shutdown", "--ignore-sigterm"))
    told: list[str] = []
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True, shutdown_timeout=0.1)
        for event in ("died", "restarted", "failed"):
            kernel.add_callback(lambda event: told.append(event["event"]), event)
        await kernel.start()
        await kernel.restart()
        await kernel.restart(now=True)
        await kernel.shutdown()
        await kernel.start()
        await kernel.kill()
        for _ in range(50):
            await anyio.lowlevel.checkpoint()

    assert told == ["restarted", "restarted"]
    assert len(provider.launches) == 4


@pytest.mark.parametrize("name", ["shutdown", "kill", "restart"])
async def test_a_death_in_the_step_of_an_operation_is_the_operations(name: str) -> None:
    provider = LivesProvider()
    told: list[str] = []
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True)
        kernel.add_callback(lambda event: told.append(event["event"]), "died")
        await kernel.start()
        pid = provider.managers[0].pid
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        # The watching is woken up in the very step in which the operation is asked for.
        await OPERATIONS[name](kernel)
        state = kernel.state
        await kernel.shutdown()

    assert told == []
    assert (state == "dead") is (name != "restart")
    assert len(provider.launches) == (2 if name == "restart" else 1)


# Callers that are cancelled


@pytest.mark.parametrize("name", ["start", "restart", "shutdown", "kill"])
@pytest.mark.parametrize("steps", [0, 1, 5])
async def test_a_caller_that_is_cancelled_leaves_the_operation_to_the_others(
    name: str, steps: int
) -> None:
    provider = LivesProvider()
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=provider.finder)
        if name != "start":
            await kernel.start()
        before = len(provider.launches)
        done = Done(kernel)
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:

                async def cancel() -> None:
                    for _ in range(steps):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()

                tasks.start_soon(done.note, name)
                tasks.start_soon(cancel)
                await OPERATIONS[name](kernel)
        runs, launches = await kernel.is_alive(), len(provider.launches) - before
        await kernel.shutdown()

    assert not done.refused(0)
    assert runs is (name in BEGINNINGS)
    assert launches == (1 if name in BEGINNINGS else 0)


@pytest.mark.parametrize("name", ["start", "restart", "shutdown", "kill"])
async def test_an_operation_whose_only_caller_is_cancelled_is_finished(name: str) -> None:
    with anyio.fail_after(30):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder)
        if name != "start":
            await kernel.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(OPERATIONS[name], kernel)
            await kernel.wait_for("starting", "restarting", "stopping")
            tasks.cancel_scope.cancel()
        state = await kernel.wait_for("idle", "dead")
        await kernel.shutdown()

    assert state == ("idle" if name in BEGINNINGS else "dead")


async def test_a_block_that_is_cancelled_as_it_begins_leaves_no_kernel() -> None:
    provider = LivesProvider(("--slow-start", "60"))
    scope = anyio.CancelScope()
    provider.about_to_launch = scope.cancel
    with anyio.fail_after(30):
        with scope:
            async with Kernel("lives/ipc", finder=provider.finder):
                pass

    assert scope.cancelled_caught
    # It may be cancelled before there is a process, or after.
    assert [await manager.is_alive() for manager in provider.managers] in ([], [False])


# Anything at any time


@pytest.mark.parametrize("seed", range(8))
async def test_after_any_interleaving_the_kernel_is_what_it_says(seed: int) -> None:
    numbers = random.Random(seed)
    provider = LivesProvider()
    policy = RestartPolicy(backoff=0.01, restart_limit=100)

    async def operate(kernel: Kernel, name: str, patience: float) -> None:
        for _ in range(numbers.randrange(300)):
            await anyio.lowlevel.checkpoint()
        if name == "crash":
            with suppress(ProcessLookupError):
                os.kill(provider.managers[-1].pid, signal.SIGKILL)
            return
        with anyio.move_on_after(patience), suppress(KernelManagementError):
            await OPERATIONS[name](kernel)

    with anyio.fail_after(120):
        kernel = Kernel(
            "lives/ipc", finder=provider.finder, autorestart=True, restart_policy=policy
        )
        await kernel.start()
        names = [*OPERATIONS, "crash"]
        alive: list[bool] = []
        for number in range(4):
            async with anyio.create_task_group() as tasks:
                for _ in range(6):
                    name, patience = numbers.choice(names), numbers.choice([0.01, 100])
                    tasks.start_soon(operate, kernel, name, patience)
            # What those have asked for that did not wait for it comes before this.
            if number % 2:
                await kernel.shutdown()
            else:
                await restart_for_sure(kernel)
            alive = [await manager.is_alive() for manager in provider.managers]
            assert sum(alive) == (0 if kernel.state == "dead" else 1)
            assert (kernel.state == "dead") is bool(number % 2)


async def restart_for_sure(kernel: Kernel) -> None:
    while True:
        try:
            await kernel.restart()
            await kernel.client.kernel_info()
            return
        except KernelStateError:
            await kernel.wait_for("dead")
