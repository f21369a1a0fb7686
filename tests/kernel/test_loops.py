"""A kernel and the event loops, threads and references that it outlives."""

from __future__ import annotations

import gc
import os
import signal
import warnings
from weakref import ref

import anyio
import anyio.lowlevel
import pytest

from kernel_mgmt import Kernel, KernelStateError, LaunchOptions
from tests.lives_provider import LivesProvider


def test_the_next_event_loop_takes_over_a_kernel(anyio_backend: str) -> None:
    kernel = Kernel("lives/ipc", finder=LivesProvider().finder)

    async def use() -> str:
        await kernel.start()
        client = kernel.client
        reply = await client.execute("result 1")
        status: str = reply.content["status"]
        return status

    async def restart_and_end() -> str:
        await kernel.restart()
        return (await kernel.shutdown()).stage

    async def limited() -> str:
        with anyio.fail_after(20):
            return await use()

    replies = [anyio.run(limited, backend=anyio_backend) for _ in range(2)]
    stage = anyio.run(restart_and_end, backend=anyio_backend)

    assert replies == ["ok", "ok"]
    assert stage == "shutdown"


def test_a_later_event_loop_watches_a_kernel_that_it_takes_over(anyio_backend: str) -> None:
    provider = LivesProvider()
    kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True)

    async def take_over() -> str:
        kernel.take_over()
        os.kill(provider.managers[0].pid, signal.SIGKILL)
        with anyio.fail_after(30):
            await kernel.wait_for("restarting")
            await kernel.wait_for("idle")
            return (await kernel.shutdown()).stage

    anyio.run(kernel.start, backend=anyio_backend)
    stage = anyio.run(take_over, backend=anyio_backend)

    assert stage == "shutdown"


def test_the_end_of_the_event_loop_breaks_off_a_start(anyio_backend: str) -> None:
    provider = LivesProvider(("--slow-start", "60"), ())
    kernel = Kernel("lives/ipc", finder=provider.finder)

    async def begin() -> None:
        async with anyio.create_task_group() as tasks:
            launching = anyio.Event()
            provider.about_to_launch = launching.set
            tasks.start_soon(kernel.start)
            await launching.wait()
            tasks.cancel_scope.cancel()

    anyio.run(begin, backend=anyio_backend)

    async def start_and_end() -> str:
        with anyio.fail_after(20):
            state = kernel.state
            await kernel.start()
            await kernel.shutdown()
            return state

    assert anyio.run(start_and_end, backend=anyio_backend) == "dead"


@pytest.mark.anyio
async def test_another_thread_is_refused(anyio_backend: str) -> None:
    with anyio.fail_after(20):
        async with Kernel("lives/ipc", finder=LivesProvider().finder) as kernel:

            def elsewhere() -> None:
                anyio.run(kernel.restart, backend=anyio_backend)

            with pytest.raises(RuntimeError, match="event loop of its first use"):
                await anyio.to_thread.run_sync(elsewhere)
            reply = await kernel.client.execute("result 1")

    assert reply.content["status"] == "ok"


@pytest.mark.anyio
async def test_a_kernel_that_is_dropped_while_it_runs_warns() -> None:
    provider = LivesProvider()
    with anyio.fail_after(20):
        kernel = Kernel("lives/ipc", finder=provider.finder, autorestart=True)
        await kernel.start()
        await kernel.client.execute("result 1")
        provider.managers.clear()
        dropped = ref(kernel)
        manager = kernel.manager
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del kernel
            gc.collect()
            await anyio.lowlevel.checkpoint()
            gc.collect()
        assert manager is not None
        await manager.kill()
        await manager.cleanup()

    assert dropped() is None
    assert any("was not closed" in str(warning.message) for warning in caught)


@pytest.mark.anyio
async def test_a_kernel_that_was_shut_down_is_dropped_in_silence() -> None:
    with anyio.fail_after(20):
        kernel = Kernel("lives/ipc", finder=LivesProvider().finder)
        await kernel.start()
        await kernel.shutdown()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            dropped = ref(kernel)
            del kernel
            gc.collect()

    assert dropped() is None
    assert caught == []


@pytest.mark.anyio
async def test_another_program_takes_over_a_kernel() -> None:
    provider = LivesProvider()
    with anyio.fail_after(20):
        first = Kernel("lives/ipc", finder=provider.finder)
        await first.start()
        manager = provider.managers[0]
        second = Kernel("lives/ipc", finder=provider.finder)
        with pytest.raises(ValueError, match=r"kernel_id=\.\.\."):
            await second.adopt(manager)
        options = LaunchOptions(kernel_id=first.kernel_id)
        second = Kernel("lives/ipc", finder=provider.finder, options=options)
        await second.adopt(manager)
        with pytest.raises(KernelStateError):
            await second.adopt(manager)
        reply = await second.client.execute("result 1")
        await second.shutdown()
        await first.wait_for("dead")
        await first.shutdown()

    assert reply.content["status"] == "ok"
