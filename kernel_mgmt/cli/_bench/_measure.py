"""Start kernels of one type, and take the time of what they do."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.start import start_kernel_async

if TYPE_CHECKING:
    from kernel_mgmt.cli._doctor._subject import Subject
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.messages import Message

    from ._figures import Figures

__all__ = ("measure",)

# So many requests are measured for each kernel that is started.
_REQUESTS = 20
_CHARACTERS = 1_000_000


async def measure(subject: Subject, number: int, figures: Figures) -> None:
    """Start kernels one after the other; on the first, take the time of requests, too.

    It may be cancelled at any time: what was measured is in the figures, and no kernel is left.

    :param number: how many kernels are started
    :raises KernelLaunchError: if a kernel does not start
    """
    for index in range(number):
        async with _measured_kernel(subject, figures) as client:
            if index == 0:
                await _measure_requests(client, subject, number, figures)


@asynccontextmanager
async def _measured_kernel(subject: Subject, figures: Figures) -> AsyncGenerator[KernelClient]:
    begun = perf_counter()
    _, client = await start_kernel_async(
        subject.name,
        subject.cwd,
        subject.launch_params,
        finder=subject.finder,
        options=subject.options,
        startup_timeout=subject.startup_timeout,
    )
    try:
        figures.transport = client.connection_info["transport"]
        figures.add("start", perf_counter() - begun)
        await client.execute(_code(subject)).reply()
        figures.add("first_reply", perf_counter() - begun)
        yield client
        stopped = perf_counter()
        await client.shutdown_or_terminate()
        figures.add("stop", perf_counter() - stopped)
    finally:
        try:
            with anyio.CancelScope(shield=True):
                await client.shutdown_or_terminate(0)
        finally:
            client.close()


async def _measure_requests(
    client: KernelClient, subject: Subject, number: int, figures: Figures
) -> None:
    requests = number * _REQUESTS
    for _ in range(requests):
        begun = perf_counter()
        await client.kernel_info().reply()
        figures.add("round_trip", 1000 * (perf_counter() - begun))
    for _ in range(requests):
        begun = perf_counter()
        await client.execute(_code(subject))
        figures.add("execute", 1000 * (perf_counter() - begun))
    for _ in range(number):
        figures.add("messages", await _messages_per_second(client, requests))
    if subject.snippets is not None:
        for _ in range(number):
            figures.add("text", await _megabytes_per_second(client, subject.snippets.large))


async def _messages_per_second(client: KernelClient, number: int) -> float:
    received: list[Message] = []
    client.add_handler(received.append, ("shell", "iopub"))
    begun = perf_counter()
    for request in [client.kernel_info() for _ in range(number)]:
        await request
    seconds = perf_counter() - begun
    client.remove_handler(received.append)
    return len(received) / seconds


async def _megabytes_per_second(client: KernelClient, code: str) -> float:
    begun = perf_counter()
    await client.execute(code, store_history=False)
    return _CHARACTERS / 1e6 / (perf_counter() - begun)


def _code(subject: Subject) -> str:
    # Every kernel takes code that is empty, and answers it, if without a result.
    return "" if subject.snippets is None else subject.snippets.result
