"""What the benchmarks ask of jupyter_client, in the cheapest of its public ways."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from jupyter_client.asynchronous.client import AsyncKernelClient

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo


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


async def execute(client: AsyncKernelClient, code: str, text: list[str] | None = None) -> None:
    """Execute code, and wait for the reply and for idle."""
    msg_id = client.execute(code, allow_stdin=False)
    while True:
        message = await client.get_iopub_msg()
        if message["parent_header"].get("msg_id") != msg_id:
            continue
        if message["msg_type"] == "stream" and text is not None:
            text.append(message["content"]["text"])
        elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    while (await client.get_shell_msg())["parent_header"].get("msg_id") != msg_id:
        pass
