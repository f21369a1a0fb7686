"""What the benchmarks ask of jupyter_client, in the cheapest of its public ways."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.blocking.client import BlockingKernelClient

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

    from ._floor import Take


@asynccontextmanager
async def connected_client(info: dict[str, Any]) -> AsyncGenerator[AsyncKernelClient]:
    """Connect a client to a running kernel, and wait until that answers."""
    client = AsyncKernelClient()
    client.load_connection_info(cast("KernelConnectionInfo", info))
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=30)
        yield client
    finally:
        client.stop_channels()


async def execute(client: AsyncKernelClient, code: str, take: Take | None = None) -> None:
    """Execute code, and wait for the reply and for idle.

    :param take: called with each message that is published for it
    """
    msg_id = client.execute(code, allow_stdin=False)
    while True:
        message = await client.get_iopub_msg()
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
        if take is not None:
            take(message["msg_type"], message["content"], message["buffers"])
    while (await client.get_shell_msg())["parent_header"].get("msg_id") != msg_id:
        pass


async def execute_all(client: AsyncKernelClient, code: str, count: int) -> None:
    """Execute code that many times at once, and wait for each reply and idle."""
    msg_ids = {client.execute(code, allow_stdin=False) for _ in range(count)}
    idle = 0
    while idle < count:
        message = await client.get_iopub_msg()
        idle += (
            message["msg_type"] == "status"
            and message["content"]["execution_state"] == "idle"
            and message["parent_header"].get("msg_id") in msg_ids
        )
    while msg_ids:
        msg_ids.discard((await client.get_shell_msg())["parent_header"].get("msg_id"))


@contextmanager
def connected_blocking_client(info: dict[str, Any]) -> Generator[BlockingKernelClient]:
    """Connect a blocking client to a running kernel, and wait until that answers."""
    client = BlockingKernelClient()
    client.load_connection_info(cast("KernelConnectionInfo", info))
    client.start_channels()
    try:
        client.wait_for_ready(timeout=30)
        yield client
    finally:
        client.stop_channels()


def execute_blocking(client: BlockingKernelClient, code: str, take: Take) -> None:
    """Execute code, and wait for the reply and for idle."""
    msg_id = client.execute(code, allow_stdin=False)
    while True:
        message = client.get_iopub_msg()
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
        take(message["msg_type"], message["content"], message["buffers"])
    while client.get_shell_msg()["parent_header"].get("msg_id") != msg_id:
        pass
