"""A consumer that sleeps through a flood from an ipykernel, and then reads what has come."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from secrets import token_hex
from time import process_time
from typing import TYPE_CHECKING

from ._environment import runtime_directory
from ._memory import PeakMemory
from ._model import (
    JUPYTER_CLIENT,
    OURS,
    OURS_TRIO,
    Case,
    Metrics,
    Row,
    Scenario,
    at_most,
)
from ._peers import ipykernel, with_jupyter_client, with_ours

if TYPE_CHECKING:
    from jupyter_client.asynchronous.client import AsyncKernelClient

    from kernel_mgmt import KernelClient

MESSAGES = 20_000
SIZE = 2000
# How often the consumer looks whether the kernel has displayed everything (seconds).
NAP = 0.05
# How long jupyter_client is given for another message (seconds).
PATIENCE = 2.0


def code(done: Path) -> str:
    """Return code that displays everything, and then writes a file."""
    display = f"display({{'text/plain': 'x' * {SIZE}}}, raw=True)"
    return f"for i in range({MESSAGES}): {display}\nopen({str(done)!r}, 'w').close()"


def metrics(displays: int, idle: bool, memory: PeakMemory, cpu: float) -> Metrics:
    """Return what was lost, and what the rest has taken."""
    return {
        "lost": MESSAGES - displays,
        "no_idle": float(not idle),
        "peak_mb": memory.growth(),
        "cpu_s": process_time() - cpu,
    }


async def ours(client: KernelClient) -> Metrics:
    """Iterate over the request after the sleep."""
    import anyio

    done = runtime_directory() / token_hex(8)
    memory, cpu = PeakMemory(), process_time()
    request = client.execute(code(done))
    while not done.exists():  # noqa: ASYNC110
        await anyio.sleep(NAP)
    displays = 0
    async for message in request:
        displays += message.msg_type == "display_data"
    await request
    return metrics(displays, not request.incomplete, memory, cpu)


async def jupyter_client(client: AsyncKernelClient) -> Metrics:
    """Receive after the sleep, for as long as something comes."""
    from queue import Empty

    done = runtime_directory() / token_hex(8)
    memory, cpu = PeakMemory(), process_time()
    msg_id = client.execute(code(done), allow_stdin=False)
    while not done.exists():  # noqa: ASYNC110
        await asyncio.sleep(NAP)
    displays, idle = 0, False
    try:
        while not idle:
            message = await client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") == msg_id:
                displays += message["msg_type"] == "display_data"
                idle = message["content"].get("execution_state") == "idle"
    except Empty:
        pass
    return metrics(displays, idle, memory, cpu)


SCENARIO = Scenario(
    summary="a consumer that sleeps through a flood from an ipykernel",
    cases=(
        Case(
            "20,000 displays of 2 kB",
            {
                OURS: partial(with_ours, ipykernel, "asyncio", ours),
                OURS_TRIO: partial(with_ours, ipykernel, "trio", ours),
                JUPYTER_CLIENT: partial(with_jupyter_client, ipykernel, jupyter_client),
            },
            (
                Row("lost", "messages that were lost", "", (at_most(0),)),
                Row("no_idle", "whether idle was lost", "", (at_most(0),)),
                Row("peak_mb", "growth of the memory at most", "MB"),
                Row("cpu_s", "CPU of the client", "s"),
            ),
        ),
    ),
)
