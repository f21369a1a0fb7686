"""A kernel behind a Jupyter Server: the round trip, a flood of output, and waiting."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from queue import Empty
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from ._environment import KERNEL
from ._model import (
    OURS,
    OURS_TRIO,
    Case,
    Metrics,
    Row,
    Scenario,
    at_most,
    at_most_times,
)
from ._server import FAKE_KERNEL, with_gateway_client, with_ours_served, with_websocket_client
from .execute import measure, metrics
from .message import check, taking

if TYPE_CHECKING:
    from jupyter_kernel_client.wsclient import KernelWebSocketClient
    from jupyter_server.gateway.managers import GatewayKernelClient

    from kernel_mgmt import KernelClient

GATEWAY_CLIENT = "GatewayKernelClient"
WEBSOCKET_CLIENT = "jupyter-kernel-client"

EXECUTES = 50
MESSAGES = 5_000
SECONDS = 3.0


async def execute_by_gateway_client(
    client: GatewayKernelClient, code: str, take: Any = None
) -> None:
    """Execute code, and wait for the reply and for idle."""
    from ._jupyter_client import execute

    await execute(client, code, take)


def execute_by_websocket_client(client: KernelWebSocketClient, code: str, take: Any = None) -> None:
    """Execute code, and wait for the reply and for idle."""
    from ._jupyter_client import execute_blocking

    execute_blocking(client, code, take or _ignore)


def _ignore(kind: str, content: dict[str, Any], buffers: Sequence[Any]) -> None:
    pass


async def round_trip(client: KernelClient) -> Metrics:
    return await measure("1", client.execute, EXECUTES)


async def round_trip_by_gateway_client(client: GatewayKernelClient) -> Metrics:
    return await measure("1", partial(execute_by_gateway_client, client), EXECUTES)


def round_trip_by_websocket_client(client: KernelWebSocketClient) -> Metrics:
    execute_by_websocket_client(client, "1")
    walls: list[float] = []
    cpu = process_time()
    for _ in range(EXECUTES):
        started = perf_counter()
        execute_by_websocket_client(client, "1")
        walls.append(perf_counter() - started)
    return metrics(walls, process_time() - cpu)


class Flood:
    """The output of an execution, and what it takes to receive it."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.take = taking(self.text)
        self._wall, self._cpu = perf_counter(), process_time()

    def metrics(self) -> Metrics:
        """Return the time for each message; all must have arrived."""
        wall, cpu = perf_counter() - self._wall, process_time() - self._cpu
        check(self.text, MESSAGES)
        return {"wall_us": wall / MESSAGES * 1e6, "cpu_us": cpu / MESSAGES * 1e6}


async def flood(client: KernelClient) -> Metrics:
    flood = Flood()
    async for message in client.execute(str(MESSAGES)):
        flood.take(message.msg_type, message.content, ())
    return flood.metrics()


async def flood_by_gateway_client(client: GatewayKernelClient) -> Metrics:
    flood = Flood()
    await execute_by_gateway_client(client, str(MESSAGES), flood.take)
    return flood.metrics()


def flood_by_websocket_client(client: KernelWebSocketClient) -> Metrics:
    flood = Flood()
    execute_by_websocket_client(client, str(MESSAGES), flood.take)
    return flood.metrics()


def waited(cpu: float) -> Metrics:
    """Return the CPU time of a minute."""
    return {"cpu_s": (process_time() - cpu) / SECONDS * 60}


# The kernel sleeps on when the wait is over: what comes with an answer is no part of it.
_SLEEP = f"import time; time.sleep({SECONDS + 30})"


async def wait(client: KernelClient) -> Metrics:
    import anyio

    request = client.execute(_SLEEP)
    async for message in request:
        if message.msg_type == "execute_input":
            break
    cpu = process_time()
    with anyio.move_on_after(SECONDS):
        await request.reply()
    return waited(cpu)


async def wait_by_gateway_client(client: GatewayKernelClient) -> Metrics:
    client.execute(_SLEEP)
    while (await client.get_iopub_msg())["msg_type"] != "execute_input":
        pass
    cpu = process_time()
    with suppress(Empty):
        await client.get_shell_msg(timeout=SECONDS)
    return waited(cpu)


def wait_by_websocket_client(client: KernelWebSocketClient) -> Metrics:
    client.execute(_SLEEP)
    while client.get_iopub_msg()["msg_type"] != "execute_input":
        pass
    cpu = process_time()
    with suppress(Empty):
        client.get_shell_msg(timeout=SECONDS)
    return waited(cpu)


def _case(name: str, kernel: str, uses: Sequence[Any], rows: tuple[Row, ...]) -> Case:
    ours, gateway_client, websocket_client = uses
    return Case(
        name,
        {
            OURS: partial(with_ours_served, kernel, "asyncio", ours),
            OURS_TRIO: partial(with_ours_served, kernel, "trio", ours),
            GATEWAY_CLIENT: partial(with_gateway_client, kernel, gateway_client),
            WEBSOCKET_CLIENT: partial(with_websocket_client, kernel, websocket_client),
        },
        rows,
    )


def _times(limit: float, other_limit: float) -> Any:
    return (at_most_times(limit, GATEWAY_CLIENT), at_most_times(other_limit, WEBSOCKET_CLIENT))


# The other peer that sleeps takes next to nothing: a ratio to that tells nothing.
_IDLE = (at_most(0.05), at_most_times(0.05, GATEWAY_CLIENT))

SCENARIO = Scenario(
    summary="a kernel behind a Jupyter Server, over WebSocket",
    cases=(
        _case(
            "round trip",
            KERNEL,
            (round_trip, round_trip_by_gateway_client, round_trip_by_websocket_client),
            (
                Row("p50_ms", "execute, median", "ms", _times(0.5, 0.5)),
                Row("cpu_us", "CPU of the client for an execute", "µs", _times(0.5, 1.0)),
            ),
        ),
        _case(
            "flood",
            FAKE_KERNEL,
            (flood, flood_by_gateway_client, flood_by_websocket_client),
            (
                Row("cpu_us", "CPU of the client for a message", "µs", _times(0.5, 1.0)),
                Row("wall_us", "time for a message", "µs", _times(1.0, 1.0)),
            ),
        ),
        _case(
            "waiting",
            KERNEL,
            (wait, wait_by_gateway_client, wait_by_websocket_client),
            (Row("cpu_s", "CPU of a minute of waiting", "s", _IDLE),),
        ),
    ),
    time_limit=120.0,
    tries=3,
)
