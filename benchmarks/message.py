"""What one small iopub message costs the client, out of a flood of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import thread_time
from typing import TYPE_CHECKING, Any

from ._fake_kernel import TEXT
from ._floor import FloorClient, Take
from ._floor_loop import FloorLoopClient
from ._model import (
    FLOOR,
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
from ._peers import fake_kernel, with_floor, with_floor_loop, with_jupyter_client, with_ours

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from kernel_mgmt import KernelClient, Message

WARM_UP = 500
MESSAGES = 20_000


def check(text: list[str], count: int) -> None:
    """Raise if a message was lost."""
    if text != [TEXT] * count:
        raise AssertionError(f"{len(text)} of {count} messages arrived")


def metrics(started: float, text: list[str]) -> Metrics:
    """Return the time of this thread since ``started``, for each message."""
    result = {"us": (thread_time() - started) / MESSAGES * 1e6}
    check(text, MESSAGES)
    return result


def taking(text: list[str]) -> Take:
    """Return a function that takes the text of streams."""

    def take(kind: str, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        if kind == "stream":
            text.append(content["text"])

    return take


def floor(client: FloorClient) -> Metrics:
    """Read by blocking calls."""
    client.execute(str(WARM_UP))
    text: list[str] = []
    started = thread_time()
    client.execute(str(MESSAGES), taking(text))
    return metrics(started, text)


async def measure(execute: Callable[[str, Take], Awaitable[None]]) -> Metrics:
    """Execute twice, and return the metrics of the second time."""
    await execute(str(WARM_UP), taking([]))
    text: list[str] = []
    started = thread_time()
    await execute(str(MESSAGES), taking(text))
    return metrics(started, text)


async def floor_loop(client: FloorLoopClient) -> Metrics:
    """Read from an asyncio loop."""
    return await measure(client.execute)


async def jupyter_client(client: AsyncKernelClient) -> Metrics:
    """Read by ``AsyncKernelClient.get_iopub_msg``."""
    from ._jupyter_client import execute

    return await measure(partial(execute, client))


async def iterated(client: KernelClient) -> Metrics:
    """Read by ``async for``."""

    async def execute(code: str, take: Take) -> None:
        request = client.execute(code)
        async for message in request:
            take(message.msg_type, message.content, ())
        await request

    return await measure(execute)


async def handled(client: KernelClient) -> Metrics:
    """Read by a handler."""

    async def execute(code: str, take: Take) -> None:
        def handle(message: Message) -> None:
            take(message.msg_type, message.content, ())

        client.add_handler(handle)
        await client.execute(code)
        client.remove_handler(handle)

    return await measure(execute)


SCENARIO = Scenario(
    summary="one small iopub message",
    cases=(
        Case(
            "tcp",
            {
                FLOOR: partial(with_floor, fake_kernel, floor),
                FLOOR_LOOP: partial(with_floor_loop, fake_kernel, floor_loop),
                OURS: partial(with_ours, fake_kernel, "asyncio", iterated),
                OURS_HANDLER: partial(with_ours, fake_kernel, "asyncio", handled),
                OURS_TRIO: partial(with_ours, fake_kernel, "trio", iterated),
                JUPYTER_CLIENT: partial(with_jupyter_client, fake_kernel, jupyter_client),
            },
            (
                Row(
                    "us",
                    "client time for a message",
                    "µs",
                    (
                        at_most(15),
                        at_most(15, peer=OURS_HANDLER),
                        at_most_times(1.8, FLOOR),
                        at_most_times(0.2, JUPYTER_CLIENT),
                    ),
                ),
            ),
        ),
    ),
)
