"""Floods of output from an ipykernel: nothing may be lost, and what that costs the client."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any, NamedTuple

from ._floor_loop import FloorLoopClient
from ._memory import PeakMemory
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
from ._peers import ipykernel, with_floor_loop, with_jupyter_client, with_ours

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from kernel_mgmt import KernelClient, Message


class Flood(NamedTuple):
    """What a kernel puts out.

    :ivar code: puts it out
    :ivar characters: the length of all the text
    """

    code: str
    characters: int


class Tally:
    """Counts what arrives, and notes what that takes."""

    def __init__(self) -> None:
        self.characters = 0
        self.metrics: Metrics = {}

    def take(self, kind: str, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Count the text of an output; the kernel may put one line into two messages."""
        if kind == "stream":
            self.characters += len(content["text"])
        elif kind == "display_data":
            self.characters += len(content["data"]["text/plain"])

    @contextmanager
    def measured(self, expected: int) -> Generator[None]:
        """Measure while the block lasts; raise if something was lost."""
        memory = PeakMemory()
        wall, cpu = perf_counter(), process_time()
        yield
        wall, cpu = perf_counter() - wall, process_time() - cpu
        self.metrics = {"wall_s": wall, "cpu_s": cpu, "peak_mb": memory.growth()}
        if self.characters != expected:
            raise AssertionError(f"{self.characters} of {expected} characters arrived")


async def floor_loop(flood: Flood, client: FloorLoopClient) -> Metrics:
    """Read by a callback of an asyncio loop."""
    tally = Tally()
    await client.execute("pass")
    with tally.measured(flood.characters):
        await client.execute(flood.code, take=tally.take)
    return tally.metrics


async def iterated(flood: Flood, client: KernelClient) -> Metrics:
    """Read by ``async for``."""
    tally = Tally()
    await client.execute("pass")
    with tally.measured(flood.characters):
        request = client.execute(flood.code)
        async for message in request:
            tally.take(message.msg_type, message.content, ())
        await request
    return tally.metrics


async def handled(flood: Flood, client: KernelClient) -> Metrics:
    """Read by a handler, and keep nothing."""
    tally = Tally()

    def take(message: Message) -> None:
        tally.take(message.msg_type, message.content, ())

    await client.execute("pass")
    client.add_handler(take)
    with tally.measured(flood.characters):
        await client.execute(flood.code, collect=False)
    return tally.metrics


async def jupyter_client(flood: Flood, client: AsyncKernelClient) -> Metrics:
    """Read by ``AsyncKernelClient.get_iopub_msg``."""
    from ._jupyter_client import execute

    tally = Tally()
    await execute(client, "pass")
    with tally.measured(flood.characters):
        await execute(client, flood.code, take=tally.take)
    return tally.metrics


PRINTS = Flood(
    "import sys\nfor i in range(20000):\n    print('a small line of output')\n    sys.stdout.flush()",
    len("a small line of output\n") * 20_000,
)


def _displays(count: int, size: int) -> Flood:
    code = f"for i in range({count}): display({{'text/plain': 'x' * {size}}}, raw=True)"
    return Flood(code, count * size)


def _case(name: str, flood: Flood, *rows: Row) -> Case:
    peers = {
        FLOOR_LOOP: partial(with_floor_loop, ipykernel, partial(floor_loop, flood)),
        OURS: partial(with_ours, ipykernel, "asyncio", partial(iterated, flood)),
        OURS_HANDLER: partial(with_ours, ipykernel, "asyncio", partial(handled, flood)),
        OURS_TRIO: partial(with_ours, ipykernel, "trio", partial(iterated, flood)),
        JUPYTER_CLIENT: partial(with_jupyter_client, ipykernel, partial(jupyter_client, flood)),
    }
    return Case(name, peers, (*rows, Row("wall_s", "time until all has arrived", "s")))


def _cpu(most: float) -> Row:
    targets = [at_most_times(most, JUPYTER_CLIENT, peer=peer) for peer in (OURS, OURS_HANDLER)]
    return Row("cpu_s", "CPU of the client", "s", tuple(targets))


SCENARIO = Scenario(
    summary="floods of output from an ipykernel",
    cases=(
        _case("20,000 flushed prints", PRINTS, _cpu(0.5)),
        _case("5,000 displays of 2 kB", _displays(5000, 2000), _cpu(0.5)),
        _case(
            "50 displays of 4 MB",
            _displays(50, 4_000_000),
            _cpu(1.0),
            Row("peak_mb", "growth of the memory at most", "MB", (at_most(20, OURS_HANDLER),)),
        ),
    ),
)
