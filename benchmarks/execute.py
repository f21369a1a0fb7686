"""Executing next to nothing: the time of a round trip, and what it costs the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from statistics import quantiles
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from ._floor import FloorClient
from ._floor_loop import FloorLoopClient
from ._model import (
    FLOOR,
    FLOOR_LOOP,
    JUPYTER_CLIENT,
    OURS,
    OURS_TRIO,
    Case,
    Metrics,
    Peer,
    Row,
    Scenario,
    at_most_times,
)
from ._peers import (
    Kernel,
    fake_kernel,
    ipykernel,
    with_floor,
    with_floor_loop,
    with_jupyter_client,
    with_ours,
)

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from kernel_mgmt import KernelClient

WARM_UP = 20
EXECUTES = 200


def floor(code: str, client: FloorClient) -> Metrics:
    """Execute by blocking calls."""
    for _ in range(WARM_UP):
        client.execute(code)
    walls: list[float] = []
    cpu = process_time()
    for _ in range(EXECUTES):
        started = perf_counter()
        client.execute(code)
        walls.append(perf_counter() - started)
    return metrics(walls, process_time() - cpu)


async def measure(
    code: str, execute: Callable[[str], Awaitable[object]], executes: int = EXECUTES
) -> Metrics:
    """Execute one after the other, each until its reply and idle were seen."""
    for _ in range(WARM_UP):
        await execute(code)
    walls: list[float] = []
    cpu = process_time()
    for _ in range(executes):
        started = perf_counter()
        await execute(code)
        walls.append(perf_counter() - started)
    return metrics(walls, process_time() - cpu)


def metrics(walls: list[float], cpu: float) -> Metrics:
    """Return the percentiles of the round trips, and the CPU time of each."""
    percentiles = quantiles(walls, n=100)
    return {
        "p50_ms": percentiles[49] * 1e3,
        "p95_ms": percentiles[94] * 1e3,
        "cpu_us": cpu / len(walls) * 1e6,
    }


async def floor_loop(code: str, client: FloorLoopClient) -> Metrics:
    """Execute from an asyncio loop."""
    return await measure(code, client.execute)


async def ours(code: str, client: KernelClient) -> Metrics:
    """Execute by ``await client.execute(code)``; a request is awaitable, and not a coroutine."""
    return await measure(code, client.execute)


async def jupyter_client(code: str, client: AsyncKernelClient) -> Metrics:
    """Execute by ``AsyncKernelClient``."""
    from ._jupyter_client import execute

    return await measure(code, partial(execute, client))


def _peers(kernel: Kernel, code: str) -> dict[str, Peer]:
    return {
        FLOOR: partial(with_floor, kernel, partial(floor, code)),
        FLOOR_LOOP: partial(with_floor_loop, kernel, partial(floor_loop, code)),
        OURS: partial(with_ours, kernel, "asyncio", partial(ours, code)),
        OURS_TRIO: partial(with_ours, kernel, "trio", partial(ours, code)),
        JUPYTER_CLIENT: partial(with_jupyter_client, kernel, partial(jupyter_client, code)),
    }


CPU = "CPU of the client for an execute"
MEDIAN = "execute, median"
SCENARIO = Scenario(
    summary="executing `1` in an ipykernel, and nothing in a fake kernel",
    cases=(
        Case(
            "tcp",
            _peers(ipykernel, "1"),
            (
                Row(
                    "cpu_us",
                    CPU,
                    "µs",
                    (at_most_times(0.6, JUPYTER_CLIENT), at_most_times(1.15, FLOOR_LOOP)),
                ),
                Row("p50_ms", MEDIAN, "ms", (at_most_times(1.03, FLOOR),)),
                Row("p95_ms", "execute, 95th percentile", "ms", (at_most_times(1.1, FLOOR),)),
            ),
        ),
        Case(
            "fake kernel",
            _peers(fake_kernel, "0"),
            (
                Row("cpu_us", CPU, "µs", (at_most_times(0.6, JUPYTER_CLIENT),)),
                Row(
                    "p50_ms",
                    MEDIAN,
                    "ms",
                    (at_most_times(0.65, JUPYTER_CLIENT), at_most_times(1.25, FLOOR_LOOP)),
                ),
            ),
        ),
    ),
)
