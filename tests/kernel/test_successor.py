"""What clients see of a restart."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

import anyio
import pytest
import zmq

from kernel_mgmt import (
    ClientClosedError,
    Kernel,
    KernelClient,
    KernelDiedError,
    Message,
    start_kernel_async,
)
from kernel_mgmt.transports.zmq import zmq_context
from tests.lives_provider import LivesProvider

pytestmark = pytest.mark.anyio


def kill_and_block(manager: Any) -> None:
    """End the process, without the event loop taking note of it."""
    os.kill(manager.pid, signal.SIGKILL)
    os.waitid(os.P_PID, manager.pid, os.WEXITED | os.WNOWAIT)


async def test_what_was_sent_to_a_dead_kernel_does_not_reach_one_that_listens_there() -> None:
    finder = LivesProvider().finder
    with anyio.fail_after(30):
        manager, client = await start_kernel_async("lives/tcp", finder=finder)
        async with client:
            control = client.connection_info.get("control_port")
            kill_and_block(manager)
            lost = client.execute("result 1")
            client.shutdown()
            await manager.cleanup()
            elsewhere: Any = {**client.connection_info, "transport": "ipc", "ip": "/nowhere"}
            client.reconnect(elsewhere)
            with pytest.raises(KernelDiedError):
                await lost
        with zmq_context().socket(zmq.ROUTER) as successor:
            successor.bind(f"tcp://127.0.0.1:{control}")
            came = successor.poll(300)

    assert came == 0


async def test_a_request_that_is_pending_fails_and_a_handler_stays() -> None:
    outputs: list[str] = []

    def note(message: Message) -> None:
        if message.msg_type == "stream":
            outputs.append(message.content["text"])

    with anyio.fail_after(30):
        async with Kernel("lives/ipc", finder=LivesProvider().finder) as kernel:
            kernel.client.add_handler(note, "iopub")
            pending = kernel.client.execute("sleep 60")
            await kernel.wait_for("busy")
            await kernel.restart(now=True)
            with pytest.raises(KernelDiedError):
                await pending
            await kernel.client.execute("print after")

    assert outputs == ["after\n"]


async def test_a_client_that_was_closed_is_followed_by_another() -> None:
    with anyio.fail_after(30):
        async with Kernel("lives/ipc", finder=LivesProvider().finder) as kernel:
            before = kernel.client
            before.close()
            await kernel.restart(now=True)
            reply = await kernel.client.execute("result 1")
            with pytest.raises(ClientClosedError):
                await before.kernel_info()

    assert reply.content["status"] == "ok"
    assert kernel.client is not before


async def test_a_client_of_another_program_goes_on_after_a_restart() -> None:
    with anyio.fail_after(30):
        async with Kernel("lives/tcp", finder=LivesProvider().finder) as kernel:
            assert kernel.connection_info is not None
            async with KernelClient(kernel.connection_info) as stranger:
                await stranger.wait_for_ready()
                await kernel.restart()
                reply = await stranger.kernel_info()

    assert reply.content["status"] == "ok"


async def test_interactive_code_ends_with_its_kernel() -> None:
    with anyio.fail_after(30):
        async with Kernel("lives/ipc", finder=LivesProvider().finder) as kernel:
            with pytest.raises(KernelDiedError, match="SIGKILL"):
                await kernel.client.execute_interactive("kill")


async def test_a_restart_whose_port_was_taken_meanwhile_listens_elsewhere_and_says_so() -> None:
    with anyio.fail_after(30):
        async with Kernel("lives/tcp", finder=LivesProvider().finder) as kernel:
            assert kernel.connection_info is not None
            port = kernel.connection_info.get("shell_port", 0)
            await kernel.shutdown()
            with socket.create_server(("127.0.0.1", port)):
                restarted = await kernel.restart()
            reply = await kernel.client.execute("result 1")

    assert restarted["new_ports"]
    assert kernel.connection_info.get("shell_port") != port
    assert reply.content["status"] == "ok"
