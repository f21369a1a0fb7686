"""Run something with the client of a peer, connected to a kernel that is ready."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ._floor import (
    FloorClient,
    Transport,
    make_connection_info,
    running_ipykernel,
    spawned_kernel,
    write_connection_file,
)
from ._floor_loop import FloorLoopClient
from ._model import Metrics

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from kernel_mgmt import KernelClient

Kernel: TypeAlias = Callable[[], AbstractContextManager[dict[str, Any]]]


@contextmanager
def fake_kernel(transport: Transport = "tcp") -> Generator[dict[str, Any]]:
    """Start the fake kernel, and give its connection info."""
    info = make_connection_info(transport)
    file = write_connection_file(info)
    with spawned_kernel([sys.executable, "-m", "benchmarks._fake_kernel", str(file)], file):
        yield info


@contextmanager
def ipykernel() -> Generator[dict[str, Any]]:
    """Start an ipykernel, and give its connection info once it answers."""
    with running_ipykernel("tcp") as info:
        yield info


def with_floor(kernel: Kernel, use: Callable[[FloorClient], Metrics]) -> Metrics:
    """Use blocking calls with nothing between."""
    with kernel() as info:
        client = FloorClient(info)
        client.wait_for_ready()
        try:
            return use(client)
        finally:
            client.close()


def with_floor_loop(
    kernel: Kernel, use: Callable[[FloorLoopClient], Awaitable[Metrics]], *, copy: bool = True
) -> Metrics:
    """Use an asyncio loop with nothing between."""

    async def main(info: dict[str, Any]) -> Metrics:
        client = FloorLoopClient(info, copy=copy)
        try:
            return await use(client)
        finally:
            client.close()

    with kernel() as info:
        return asyncio.run(main(info))


def with_ours(
    kernel: Kernel, backend: str, use: Callable[[KernelClient], Awaitable[Metrics]]
) -> Metrics:
    """Use a ``KernelClient``."""
    import anyio

    from kernel_mgmt import ConnectionInfo, KernelClient

    async def main(info: dict[str, Any]) -> Metrics:
        async with KernelClient(cast("ConnectionInfo", info)) as client:
            await client.wait_for_ready(timeout=30)
            return await use(client)

    with kernel() as info:
        return anyio.run(main, info, backend=backend)


def with_jupyter_client(
    kernel: Kernel, use: Callable[[AsyncKernelClient], Awaitable[Metrics]]
) -> Metrics:
    """Use an ``AsyncKernelClient``."""
    from ._jupyter_client import connected_client

    async def main(info: dict[str, Any]) -> Metrics:
        async with connected_client(info) as client:
            return await use(client)

    with kernel() as info:
        return asyncio.run(main(info))
