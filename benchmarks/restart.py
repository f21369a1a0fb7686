"""The end of an ipykernel: noticed, made good, asked for, and followed by a new beginning."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ._environment import KERNEL, kernel_argv
from ._model import (
    FLOOR,
    JUPYTER_CLIENT,
    OURS,
    OURS_TRIO,
    Case,
    Metrics,
    Row,
    Scenario,
    at_most,
    at_most_over,
    at_most_times,
)

# No peer may find loaded what another one needs: what the floor imports comes with the floor.
if TYPE_CHECKING:
    from ._floor import Transport

TIMES = 3


class Running(NamedTuple):
    """A kernel that runs, and is ready.

    :ivar crash: kills it, and returns when the next is ready; the time at which its end was told
        comes back, or ``None`` where nobody tells it
    :ivar restart: restarts it, and returns when the next is ready
    :ivar shutdown: ends it; the last that is called
    """

    crash: Callable[[], Awaitable[float | None]]
    restart: Callable[[], Awaitable[object]]
    shutdown: Callable[[], Awaitable[object]]


Run: TypeAlias = Callable[[], AbstractAsyncContextManager[Running]]


async def measure(run: Run) -> Metrics:
    """Crash, restart and end a kernel a few times, after a first time that does not count."""
    taken: list[Metrics] = []
    for _ in range(TIMES + 1):
        async with run() as kernel:
            taken.append(await _take(kernel))
    return {name: median(each[name] for each in taken[1:]) for name in taken[0]}


async def _take(kernel: Running) -> Metrics:
    started = perf_counter()
    told = await kernel.crash()
    metrics = {"usable_ms": (perf_counter() - started) * 1e3}
    if told is not None:
        metrics["event_ms"] = (told - started) * 1e3
    metrics["restart_ms"] = await _time(kernel.restart)
    metrics["shutdown_ms"] = await _time(kernel.shutdown)
    return metrics


async def _time(function: Callable[[], Awaitable[object]]) -> float:
    started = perf_counter()
    await function()
    return (perf_counter() - started) * 1e3


def floor(transport: Transport) -> Metrics:
    """Kill, wait and spawn with nothing between."""
    from ._floor import FloorClient, make_connection_info, spawn, write_connection_file

    @asynccontextmanager
    async def run() -> AsyncGenerator[Running]:
        info = make_connection_info(transport)
        file = write_connection_file(info)
        process = spawn(kernel_argv(file))
        client = FloorClient(info)

        def start() -> None:
            nonlocal process, client
            process = spawn(kernel_argv(file))
            client = FloorClient(info)
            client.wait_for_ready()

        async def crash() -> None:
            process.kill()
            process.wait()
            client.close()
            start()

        async def shutdown() -> None:
            client.send(client.control, "shutdown_request", {"restart": False})
            process.wait()
            client.close()

        async def restart() -> None:
            await shutdown()
            start()

        client.wait_for_ready()
        try:
            yield Running(crash, restart, shutdown)
        finally:
            process.kill()
            process.wait()
            file.unlink(missing_ok=True)

    return asyncio.run(measure(run))


def ours(backend: str, transport: Transport) -> Metrics:
    """A ``Kernel`` that is restarted automatically, and at once."""
    import anyio

    from kernel_mgmt import Kernel, KernelFinder, LaunchOptions, RestartPolicy

    finder = KernelFinder.from_entrypoints()
    options = LaunchOptions(transport=transport)
    policy = RestartPolicy(stable_time=0)

    @asynccontextmanager
    async def run() -> AsyncGenerator[Running]:
        kernel = Kernel(
            f"spec/{KERNEL}",
            finder=finder,
            options=options,
            autorestart=True,
            restart_policy=policy,
        )
        told: list[float] = []
        kernel.add_callback(lambda _: told.append(perf_counter()), "died")

        async def crash() -> float:
            events = kernel.events()
            manager: Any = kernel.manager
            os.kill(manager.pid, signal.SIGKILL)
            async for event in events:
                if event["event"] == "restarted":
                    break
            return told[-1]

        async with kernel:
            yield Running(crash, kernel.restart, kernel.shutdown)

    return anyio.run(measure, run, backend=backend)


def jupyter_client(transport: Transport) -> Metrics:
    """An ``AsyncIOLoopKernelManager``, whose restarter looks every three seconds."""
    from jupyter_client.ioloop.manager import AsyncIOLoopKernelManager

    @asynccontextmanager
    async def run() -> AsyncGenerator[Running]:
        manager: Any = AsyncIOLoopKernelManager(kernel_name=KERNEL, transport=transport)
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        died = asyncio.Event()
        told: list[float] = []

        def note() -> None:
            told.append(perf_counter())
            died.set()

        async def crash() -> float:
            os.kill(manager.provisioner.pid, signal.SIGKILL)
            await died.wait()
            await until_alive()
            await client.wait_for_ready(timeout=30)
            return told[-1]

        async def until_alive() -> None:
            # The callback comes before the restart.
            while True:
                if await manager.is_alive():
                    return
                await asyncio.sleep(0.001)

        async def restart() -> None:
            await manager.restart_kernel()
            await client.wait_for_ready(timeout=30)

        manager.add_restart_callback(note, "restart")
        try:
            await client.wait_for_ready(timeout=30)
            yield Running(crash, restart, manager.shutdown_kernel)
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)

    return asyncio.run(measure(run))


ROWS = (
    Row("event_ms", "kill -9 to the event", "ms", (at_most(15),)),
    Row("usable_ms", "kill -9 to usable again", "ms", (at_most_over(10, FLOOR),)),
    Row("restart_ms", "restart to ready", "ms", (at_most_times(0.5, JUPYTER_CLIENT),)),
    Row(
        "shutdown_ms",
        "shutdown of an idle kernel",
        "ms",
        (at_most_over(5, FLOOR), at_most_times(0.6, JUPYTER_CLIENT)),
    ),
)


def _case(transport: Transport) -> Case:
    peers = {
        FLOOR: partial(floor, transport),
        OURS: partial(ours, "asyncio", transport),
        OURS_TRIO: partial(ours, "trio", transport),
        JUPYTER_CLIENT: partial(jupyter_client, transport),
    }
    return Case(transport, peers, ROWS)


SCENARIO = Scenario(
    summary="from the end of an ipykernel to the event, to the next kernel, and to its own end",
    cases=(_case("tcp"), _case("ipc")),
    time_limit=90.0,
)
