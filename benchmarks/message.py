"""What one small iopub message costs the client, out of a flood of them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from functools import partial
from time import thread_time
from typing import TYPE_CHECKING, Any, cast

from ._fake_kernel import TEXT
from ._floor import FloorClient, make_connection_info, spawned_kernel, write_connection_file
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
    at_most,
    at_most_times,
)

if TYPE_CHECKING:
    from kernel_mgmt import ConnectionInfo, KernelClient, Message

WARM_UP = 500
MESSAGES = 20_000


@contextmanager
def fake_kernel() -> Generator[dict[str, Any]]:
    """Start the fake kernel, and give its connection info."""
    info = make_connection_info("tcp")
    file = write_connection_file(info)
    with spawned_kernel([sys.executable, "-m", "benchmarks._fake_kernel", str(file)], file):
        yield info


def check(text: list[str], count: int) -> None:
    """Raise if a message was lost."""
    if text != [TEXT] * count:
        raise AssertionError(f"{len(text)} of {count} messages arrived")


def metrics(started: float) -> Metrics:
    """Return the time of this thread since ``started``, for each message."""
    return {"us": (thread_time() - started) / MESSAGES * 1e6}


def floor() -> Metrics:
    """Read by blocking calls."""
    with fake_kernel() as info:
        client = FloorClient(info)
        client.wait_for_ready()
        client.execute(str(WARM_UP))
        text: list[str] = []
        started = thread_time()
        client.execute(str(MESSAGES), text)
        result = metrics(started)
        check(text, MESSAGES)
        client.close()
        return result


async def measure(execute: Callable[[str, list[str]], Awaitable[None]]) -> Metrics:
    """Execute twice, and return the metrics of the second time."""
    await execute(str(WARM_UP), [])
    text: list[str] = []
    started = thread_time()
    await execute(str(MESSAGES), text)
    result = metrics(started)
    check(text, MESSAGES)
    return result


def floor_loop() -> Metrics:
    """Read from an asyncio loop."""

    async def main(info: dict[str, Any]) -> Metrics:
        client = FloorLoopClient(info)
        try:
            return await measure(client.execute)
        finally:
            client.close()

    with fake_kernel() as info:
        return asyncio.run(main(info))


def jupyter_client() -> Metrics:
    """Read by ``AsyncKernelClient.get_iopub_msg``."""
    from ._jupyter_client import connected_client, execute

    async def main(info: dict[str, Any]) -> Metrics:
        async with connected_client(info) as client:
            return await measure(partial(execute, client))

    with fake_kernel() as info:
        return asyncio.run(main(info))


async def iterate(client: KernelClient, code: str, text: list[str]) -> None:
    """Read by ``async for``."""
    request = client.execute(code)
    async for message in request:
        if message.msg_type == "stream":
            text.append(message.content["text"])
    await request


async def handle(client: KernelClient, code: str, text: list[str]) -> None:
    """Read by a handler."""

    def take(message: Message) -> None:
        if message.msg_type == "stream":
            text.append(message.content["text"])

    client.add_handler(take, "iopub")
    await client.execute(code)
    client.remove_handler(take)


def ours(
    backend: str, execute: Callable[[KernelClient, str, list[str]], Awaitable[None]]
) -> Metrics:
    """Read by a ``KernelClient``."""
    import anyio

    from kernel_mgmt import KernelClient

    async def main(info: dict[str, Any]) -> Metrics:
        async with KernelClient(cast("ConnectionInfo", info)) as client:
            await client.wait_for_ready(timeout=30)
            return await measure(partial(execute, client))

    with fake_kernel() as info:
        return anyio.run(main, info, backend=backend)


SCENARIO = Scenario(
    summary="one small iopub message",
    cases=(
        Case(
            "tcp",
            {
                FLOOR: floor,
                FLOOR_LOOP: floor_loop,
                OURS: partial(ours, "asyncio", iterate),
                "kernel_mgmt handler": partial(ours, "asyncio", handle),
                OURS_TRIO: partial(ours, "trio", iterate),
                JUPYTER_CLIENT: jupyter_client,
            },
            (
                Row(
                    "us",
                    "client time for a message",
                    "µs",
                    (
                        at_most(15),
                        at_most(15, peer="kernel_mgmt handler"),
                        at_most_times(1.8, FLOOR),
                        at_most_times(0.2, JUPYTER_CLIENT),
                    ),
                ),
            ),
        ),
    ),
)
