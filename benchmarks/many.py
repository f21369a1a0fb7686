"""Ten ipykernels started at once: from the calls until all of them are ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from functools import partial
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, TypeAlias

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
    at_most_times,
)

# No peer may find loaded what another one needs: what the floor imports comes with the floor.
if TYPE_CHECKING:
    from ._floor import Transport

Start: TypeAlias = Callable[[int], AbstractAsyncContextManager[None]]
KERNELS = 10
STARTS = 2


async def measure(start: Start) -> Metrics:
    """Start one, for what is loaded and made at first use; then all at once, a few times."""
    await _time(start, 1)
    taken = [await _time(start, KERNELS) for _ in range(STARTS)]
    return {
        "ready_ms": median(wall for wall, _ in taken) * 1e3,
        "cpu_ms": median(cpu for _, cpu in taken) * 1e3,
    }


async def _time(start: Start, count: int) -> tuple[float, float]:
    wall, cpu = perf_counter(), process_time()
    async with start(count):
        return perf_counter() - wall, process_time() - cpu


def floor(transport: Transport) -> Metrics:
    """Spawn them one after the other with nothing between, then wait for each."""
    from ._floor import FloorClient, make_connection_info, spawned_kernel, write_connection_file

    @asynccontextmanager
    async def start(count: int) -> AsyncGenerator[None]:
        with ExitStack() as stack:
            clients: list[FloorClient] = []
            for _ in range(count):
                info = make_connection_info(transport)
                file = write_connection_file(info)
                stack.enter_context(spawned_kernel(kernel_argv(file), file))
                clients.append(FloorClient(info))
                stack.callback(clients[-1].close)
            for client in clients:
                client.wait_for_ready()
            yield

    return asyncio.run(measure(start))


def ours(backend: str) -> Metrics:
    """Start them by the ``AsyncMultiKernelManager`` of ``kernel_mgmt.classic``."""
    import anyio

    from kernel_mgmt import KernelFinder
    from kernel_mgmt.classic import AsyncMultiKernelManager

    finder = KernelFinder.from_entrypoints()

    @asynccontextmanager
    async def start(count: int) -> AsyncGenerator[None]:
        kernels = AsyncMultiKernelManager(kernel_finder=finder)
        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(count):
                    tasks.start_soon(kernels.start_kernel, f"spec/{KERNEL}")
            yield
        finally:
            await kernels.shutdown_all(now=True)

    return anyio.run(measure, start, backend=backend)


def jupyter_client() -> Metrics:
    """Start them by its ``AsyncMultiKernelManager``, with a client each that waits for readiness."""
    from jupyter_client.multikernelmanager import AsyncMultiKernelManager

    @asynccontextmanager
    async def start(count: int) -> AsyncGenerator[None]:
        kernels: Any = AsyncMultiKernelManager()
        clients: list[Any] = []

        async def start_one() -> None:
            client = kernels.get_kernel(await kernels.start_kernel(kernel_name=KERNEL)).client()
            clients.append(client)
            client.start_channels()
            await client.wait_for_ready(timeout=60)

        try:
            await asyncio.gather(*(start_one() for _ in range(count)))
            yield
        finally:
            for client in clients:
                client.stop_channels()
            await kernels.shutdown_all(now=True)

    return asyncio.run(measure(start))


ROWS = (
    Row("ready_ms", "ten at once, calls to all ready", "ms", (at_most_times(1.05, FLOOR),)),
    Row("cpu_ms", "CPU of the starting process", "ms", (at_most_times(0.65, JUPYTER_CLIENT),)),
)

# Each takes the transport of its default: ipykernel listens on ipc with us, and on tcp with them.
SCENARIO = Scenario(
    summary="ten ipykernels started at once, until all are ready",
    cases=(
        Case(
            "default",
            {
                FLOOR: partial(floor, "ipc"),
                "floor tcp": partial(floor, "tcp"),
                OURS: partial(ours, "asyncio"),
                OURS_TRIO: partial(ours, "trio"),
                JUPYTER_CLIENT: jupyter_client,
            },
            ROWS,
        ),
    ),
    time_limit=120.0,
    # Peers that let go of their ports before the kernel binds them lose one now and then.
    tries=5,
)
