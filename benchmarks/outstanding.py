"""Many requests that are outstanding at once: all must be answered, and what each costs the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from ._floor_loop import FloorLoopClient
from ._model import (
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
from ._peers import (
    Kernel,
    fake_kernel,
    ipykernel,
    with_floor_loop,
    with_jupyter_client,
    with_ours,
)

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from kernel_mgmt import KernelClient

OURS_TASKS = "kernel_mgmt tasks"
WARM_UP = 5
REQUESTS = 200


async def measure(execute_all: Callable[[int], Awaitable[None]], count: int) -> Metrics:
    """Send that many requests, and wait until each has its reply and its idle.

    Where they are few, that is done again and again.
    """
    await execute_all(WARM_UP)
    times = max(1, REQUESTS // count)
    wall, cpu = perf_counter(), process_time()
    for _ in range(times):
        await execute_all(count)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return {"wall_us": wall / count / times * 1e6, "cpu_us": cpu / count / times * 1e6}


async def floor_loop(code: str, count: int, client: FloorLoopClient) -> Metrics:
    """Count replies and idles in a callback of an asyncio loop."""
    return await measure(partial(client.execute_all, code), count)


async def in_turn(code: str, count: int, client: KernelClient) -> Metrics:
    """Await the requests one after the other."""

    async def execute_all(count: int) -> None:
        for request in [client.execute(code) for _ in range(count)]:
            await request

    return await measure(execute_all, count)


async def in_tasks(code: str, count: int, client: KernelClient) -> Metrics:
    """Await each request in a task of its own."""
    import anyio

    async def execute() -> None:
        await client.execute(code)

    async def execute_all(count: int) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(execute)

    return await measure(execute_all, count)


async def jupyter_client(code: str, count: int, client: AsyncKernelClient) -> Metrics:
    """Send all, and receive until all are done."""
    from ._jupyter_client import execute_all

    return await measure(partial(execute_all, client, code), count)


def _case(name: str, kernel: Kernel, code: str, count: int) -> Case:
    peers = {
        FLOOR_LOOP: partial(with_floor_loop, kernel, partial(floor_loop, code, count)),
        OURS: partial(with_ours, kernel, "asyncio", partial(in_turn, code, count)),
        OURS_TASKS: partial(with_ours, kernel, "asyncio", partial(in_tasks, code, count)),
        OURS_TRIO: partial(with_ours, kernel, "trio", partial(in_turn, code, count)),
        JUPYTER_CLIENT: partial(with_jupyter_client, kernel, partial(jupyter_client, code, count)),
    }
    rows = (
        Row(
            "cpu_us",
            "CPU of the client for each",
            "µs",
            (
                at_most_times(0.5, JUPYTER_CLIENT),
                at_most_times(0.5, JUPYTER_CLIENT, peer=OURS_TASKS),
            ),
        ),
        Row("wall_us", "time until all are done, for each", "µs"),
    )
    return Case(name, peers, rows)


SCENARIO = Scenario(
    summary="many requests that are outstanding at once",
    cases=(
        _case("20 in an ipykernel", ipykernel, "1", 20),
        _case("200 in an ipykernel", ipykernel, "1", 200),
        _case("1,000 in a fake kernel", fake_kernel, "0", 1000),
    ),
)
