"""From the call that starts an ipykernel until it is ready: its reply and its iopub were seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ._environment import KERNEL, kernel_argv
from ._hold import watched_loop
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

Start: TypeAlias = Callable[[], AbstractAsyncContextManager[None]]
IDLE_LOOP = "idle loop"
STARTS = 3
LONG_ENOUGH_TO_START = 0.25


async def measure(start: Start) -> Metrics:
    """Start a first time, then a few times more, and once with the loop watched."""
    first = await _watch(start)
    others = [await _time(start) for _ in range(STARTS)]
    watched = await _watch(start)
    return {
        "ready_ms": median(wall for wall, _ in others) * 1e3,
        "cpu_ms": median(cpu for _, cpu in others) * 1e3,
        "step_ms": watched.step * 1e3,
        "gap_ms": watched.gap * 1e3,
        "first_ms": first.wall * 1e3,
        "first_step_ms": first.step * 1e3,
    }


class _Watched(NamedTuple):
    wall: float
    step: float
    gap: float


async def _watch(start: Start) -> _Watched:
    async with watched_loop() as hold:
        started = perf_counter()
        async with start():
            return _Watched(perf_counter() - started, hold.step, hold.gap)


async def _time(start: Start) -> tuple[float, float]:
    wall, cpu = perf_counter(), process_time()
    async with start():
        return perf_counter() - wall, process_time() - cpu


def floor(transport: Transport) -> Metrics:
    """Spawn it with nothing between; this blocks the loop, so that has no figure."""
    from ._floor import FloorClient, make_connection_info, spawned_kernel, write_connection_file

    @asynccontextmanager
    async def start() -> AsyncGenerator[None]:
        info = make_connection_info(transport)
        file = write_connection_file(info)
        with spawned_kernel(kernel_argv(file), file):
            client = FloorClient(info)
            client.wait_for_ready()
            yield
            client.close()

    metrics = asyncio.run(measure(start))
    return {name: metrics[name] for name in ("first_ms", "ready_ms", "cpu_ms")}


def idle_loop(transport: Transport) -> Metrics:
    """Do nothing while a kernel starts: what of the hold is the machine's."""
    from ._floor import make_connection_info, spawned_kernel, write_connection_file

    async def main() -> Metrics:
        async with watched_loop() as hold:
            await asyncio.sleep(LONG_ENOUGH_TO_START)
            return {"step_ms": hold.step * 1e3, "gap_ms": hold.gap * 1e3}

    file = write_connection_file(make_connection_info(transport))
    with spawned_kernel(kernel_argv(file), file):
        return asyncio.run(main())


def ours(backend: str, transport: Transport) -> Metrics:
    """Start it by ``start_kernel_async``, with a finder that was made before."""
    import anyio

    from kernel_mgmt import KernelFinder, LaunchOptions, start_kernel_async

    finder = KernelFinder.from_entrypoints()
    options = LaunchOptions(transport=transport)

    @asynccontextmanager
    async def start() -> AsyncGenerator[None]:
        _, client = await start_kernel_async(f"spec/{KERNEL}", finder=finder, options=options)
        try:
            yield
        finally:
            await client.shutdown_or_terminate()
            client.close()

    return anyio.run(measure, start, backend=backend)


def jupyter_client(transport: Transport) -> Metrics:
    """Start it by ``AsyncKernelManager``."""
    from jupyter_client.manager import AsyncKernelManager

    @asynccontextmanager
    async def start() -> AsyncGenerator[None]:
        manager: Any = AsyncKernelManager(kernel_name=KERNEL, transport=transport)
        await manager.start_kernel()
        client = manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            yield
        finally:
            client.stop_channels()
            await manager.shutdown_kernel(now=True)

    return asyncio.run(measure(start))


READY = (at_most_times(1.05, FLOOR), at_most_times(0.55, JUPYTER_CLIENT))
ROWS = (
    Row("ready_ms", "call to ready", "ms", READY),
    Row("step_ms", "longest callback or task step of the loop", "ms", (at_most(3),)),
    Row("gap_ms", "longest time that a ticking task waited", "ms", (at_most_over(3, IDLE_LOOP),)),
    Row("cpu_ms", "CPU of the starting process", "ms", (at_most(6), at_most_times(1.37, FLOOR))),
    Row("first_ms", "call to ready, the first start of a process", "ms", READY),
    Row("first_step_ms", "longest step, the first start of a process", "ms", (at_most(3),)),
)


def _case(transport: Transport) -> Case:
    peers = {
        FLOOR: partial(floor, transport),
        IDLE_LOOP: partial(idle_loop, transport),
        OURS: partial(ours, "asyncio", transport),
        OURS_TRIO: partial(ours, "trio", transport),
        JUPYTER_CLIENT: partial(jupyter_client, transport),
    }
    return Case(transport, peers, ROWS)


SCENARIO = Scenario(
    summary="from the call that starts an ipykernel until it is ready",
    cases=(_case("tcp"), _case("ipc")),
)
