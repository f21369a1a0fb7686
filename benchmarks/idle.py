"""Ten clients of ten kernels that do nothing: what they hold, and what they do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from time import perf_counter, process_time
from typing import Any, cast

from ._model import (
    JUPYTER_CLIENT,
    OURS,
    OURS_TRIO,
    Case,
    Metrics,
    Peer,
    Row,
    Scenario,
    at_most,
)
from ._peers import fake_kernel

KERNELS = 10
SETTLE = 1.0
SECONDS = 15.0


@contextmanager
def fake_kernels() -> Generator[list[dict[str, Any]]]:
    """Start the kernels, and give their connection infos.

    They listen on ipc: so many free ports would not all stay free until they are bound.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(fake_kernel("ipc")) for _ in range(KERNELS)]


class Holdings:
    """The descriptors and threads that were taken since this was made."""

    def __init__(self) -> None:
        self._before = self._count()

    def metrics(self) -> Metrics:
        """Return what each client holds."""
        descriptors, threads = self._count()
        return {
            "descriptors": (descriptors - self._before[0]) / KERNELS,
            "threads": (threads - self._before[1]) / KERNELS,
        }

    def _count(self) -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))


class Idleness:
    """The CPU time that passes while nothing is done."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), process_time()

    def metrics(self) -> Metrics:
        """Return the CPU seconds per minute of all clients together."""
        minutes = (perf_counter() - self._wall) / 60
        return {"cpu_s": (process_time() - self._cpu) / minutes}


def ours(backend: str, use_heartbeat: float | None) -> Metrics:
    """Hold a ``KernelClient`` of each."""
    import anyio
    import zmq

    from kernel_mgmt import ConnectionInfo, KernelClient
    from kernel_mgmt.transports.zmq import zmq_context

    async def main(infos: list[dict[str, Any]]) -> Metrics:
        # The threads and descriptors of libzmq itself are there once for all clients.
        zmq_context().socket(zmq.PAIR).close()
        holdings = Holdings()
        async with AsyncExitStack() as stack:
            for info in infos:
                client = KernelClient(cast("ConnectionInfo", info), use_heartbeat=use_heartbeat)
                await stack.enter_async_context(client)
                await client.wait_for_ready(timeout=30)
            await anyio.sleep(SETTLE)
            held = holdings.metrics()
            idleness = Idleness()
            await anyio.sleep(SECONDS)
            return {**held, **idleness.metrics()}

    with fake_kernels() as infos:
        return anyio.run(main, infos, backend=backend)


def jupyter_client() -> Metrics:
    """Hold an ``AsyncKernelClient`` of each, whose heartbeat is always on."""
    import zmq

    from ._jupyter_client import connected_client

    async def main(infos: list[dict[str, Any]]) -> Metrics:
        zmq.Context.instance().socket(zmq.PAIR).close()
        holdings = Holdings()
        async with AsyncExitStack() as stack:
            for info in infos:
                await stack.enter_async_context(connected_client(info))
            await asyncio.sleep(SETTLE)
            held = holdings.metrics()
            idleness = Idleness()
            await asyncio.sleep(SECONDS)
            return {**held, **idleness.metrics()}

    with fake_kernels() as infos:
        return asyncio.run(main(infos))


def _case(name: str, use_heartbeat: float | None, most_cpu: float) -> Case:
    peers: dict[str, Peer] = {
        OURS: partial(ours, "asyncio", use_heartbeat),
        OURS_TRIO: partial(ours, "trio", use_heartbeat),
    }
    if use_heartbeat is not None:
        peers[JUPYTER_CLIENT] = jupyter_client
    return Case(
        name,
        peers,
        (
            Row("descriptors", "descriptors of each client", "", (at_most(11),)),
            Row("threads", "threads of each client", "", (at_most(0),)),
            Row("cpu_s", "CPU of all clients in a minute", "s", (at_most(most_cpu),)),
        ),
    )


SCENARIO = Scenario(
    summary="ten clients of ten kernels that do nothing",
    cases=(_case("with heartbeats", 1.0, 0.06), _case("without", None, 0.02)),
)
