"""Binary buffers of a megabyte: how fast they come, and what that costs the client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from ._floor_loop import FloorLoopClient
from ._model import (
    FLOOR_LOOP,
    JUPYTER_CLIENT,
    OURS,
    OURS_HANDLER,
    OURS_TRIO,
    Case,
    Metrics,
    Row,
    Scenario,
    at_most,
    at_most_times,
)
from ._peers import fake_kernel, with_floor_loop, with_jupyter_client, with_ours

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from kernel_mgmt import KernelClient, Message

    from ._floor import Take

WARM_UP = 20
BUFFERS = 500
SIZE = 1_000_000


class Weight:
    """Adds up the bytes that arrive."""

    def __init__(self) -> None:
        self.bytes = 0

    def take(self, kind: str, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Add the buffers of a message."""
        self.bytes += sum(map(len, buffers))


async def measure(execute: Callable[[str, Take], Awaitable[None]]) -> Metrics:
    """Receive all, and raise if something was lost."""
    await execute(f"{WARM_UP} {SIZE}", Weight().take)
    weight = Weight()
    wall, cpu = perf_counter(), process_time()
    await execute(f"{BUFFERS} {SIZE}", weight.take)
    wall, cpu = perf_counter() - wall, process_time() - cpu
    if weight.bytes != BUFFERS * SIZE:
        raise AssertionError(f"{weight.bytes} of {BUFFERS * SIZE} bytes arrived")
    return {"wall_ms": wall / BUFFERS * 1e3, "cpu_ms": cpu / BUFFERS * 1e3}


async def floor_loop(client: FloorLoopClient) -> Metrics:
    """Read from an asyncio loop, without a copy."""
    return await measure(client.execute)


async def iterated(client: KernelClient) -> Metrics:
    """Read by ``async for``."""

    async def execute(code: str, take: Take) -> None:
        request = client.execute(code)
        async for message in request:
            take(message.msg_type, message.content, message.buffers)
        await request

    return await measure(execute)


async def handled(client: KernelClient) -> Metrics:
    """Read by a handler, and keep nothing."""

    async def execute(code: str, take: Take) -> None:
        def handle(message: Message) -> None:
            take(message.msg_type, message.content, message.buffers)

        client.add_handler(handle)
        await client.execute(code, collect=False)
        client.remove_handler(handle)

    return await measure(execute)


async def jupyter_client(client: AsyncKernelClient) -> Metrics:
    """Read by ``AsyncKernelClient.get_iopub_msg``."""
    from ._jupyter_client import execute

    return await measure(partial(execute, client))


SCENARIO = Scenario(
    summary="binary buffers of a megabyte",
    cases=(
        Case(
            "tcp",
            {
                FLOOR_LOOP: partial(with_floor_loop, fake_kernel, floor_loop, copy=False),
                OURS: partial(with_ours, fake_kernel, "asyncio", iterated),
                OURS_HANDLER: partial(with_ours, fake_kernel, "asyncio", handled),
                OURS_TRIO: partial(with_ours, fake_kernel, "trio", iterated),
                JUPYTER_CLIENT: partial(with_jupyter_client, fake_kernel, jupyter_client),
            },
            (
                # 0.9 of its megabytes per second.
                Row("wall_ms", "time for a megabyte", "ms", (at_most_times(1 / 0.9, FLOOR_LOOP),)),
                Row("cpu_ms", "CPU of the client for a megabyte", "ms", (at_most(0.35),)),
            ),
        ),
    ),
)
