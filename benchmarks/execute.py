"""Executing ``1`` in an ipykernel: the time of a round trip, and what it costs the client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from statistics import quantiles
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, cast

from ._floor import FloorClient, running_ipykernel
from ._floor_loop import FloorLoopClient
from ._model import (
    FLOOR,
    FLOOR_LOOP,
    JUPYTER_CLIENT,
    OURS,
    OURS_TRIO,
    Case,
    Metrics,
    Row,
    Scenario,
    at_most_times,
)

if TYPE_CHECKING:
    from kernel_mgmt import ConnectionInfo

WARM_UP = 20
EXECUTES = 200


async def measure(execute: Callable[[str], Awaitable[object]]) -> Metrics:
    """Execute one after the other, each until its reply and idle were seen."""
    for _ in range(WARM_UP):
        await execute("1")
    walls: list[float] = []
    cpu = process_time()
    for _ in range(EXECUTES):
        started = perf_counter()
        await execute("1")
        walls.append(perf_counter() - started)
    cpu = process_time() - cpu
    percentiles = quantiles(walls, n=100)
    return {
        "p50_ms": percentiles[49] * 1e3,
        "p95_ms": percentiles[94] * 1e3,
        "cpu_us": cpu / EXECUTES * 1e6,
    }


def floor() -> Metrics:
    """Execute by blocking calls."""

    async def main(info: dict[str, Any]) -> Metrics:
        client = FloorClient(info)
        client.wait_for_ready()

        async def execute(code: str) -> None:
            client.execute(code)

        try:
            return await measure(execute)
        finally:
            client.close()

    with running_ipykernel("tcp") as info:
        return asyncio.run(main(info))


def floor_loop() -> Metrics:
    """Execute from an asyncio loop."""

    async def main(info: dict[str, Any]) -> Metrics:
        client = FloorLoopClient(info)
        try:
            return await measure(client.execute)
        finally:
            client.close()

    with running_ipykernel("tcp") as info:
        return asyncio.run(main(info))


def ours(backend: str) -> Metrics:
    """Execute by ``await client.execute("1")``."""
    import anyio

    from kernel_mgmt import KernelClient

    async def main(info: dict[str, Any]) -> Metrics:
        async with KernelClient(cast("ConnectionInfo", info)) as client:
            await client.wait_for_ready(timeout=30)
            # A request is awaitable, and not a coroutine.
            return await measure(client.execute)

    with running_ipykernel("tcp") as info:
        return anyio.run(main, info, backend=backend)


def jupyter_client() -> Metrics:
    """Execute by ``AsyncKernelClient``."""
    from ._jupyter_client import connected_client, execute

    async def main(info: dict[str, Any]) -> Metrics:
        async with connected_client(info) as client:
            return await measure(partial(execute, client))

    with running_ipykernel("tcp") as info:
        return asyncio.run(main(info))


SCENARIO = Scenario(
    summary="executing `1` in an ipykernel",
    cases=(
        Case(
            "tcp",
            {
                FLOOR: floor,
                FLOOR_LOOP: floor_loop,
                OURS: partial(ours, "asyncio"),
                OURS_TRIO: partial(ours, "trio"),
                JUPYTER_CLIENT: jupyter_client,
            },
            (
                Row(
                    "cpu_us",
                    "CPU of the client for an execute",
                    "µs",
                    (at_most_times(0.6, JUPYTER_CLIENT), at_most_times(1.15, FLOOR_LOOP)),
                ),
                Row("p50_ms", "execute, median", "ms", (at_most_times(1.03, FLOOR),)),
                Row("p95_ms", "execute, 95th percentile", "ms", (at_most_times(1.1, FLOOR),)),
            ),
        ),
    ),
)
