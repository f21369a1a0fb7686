"""Kernels that no SIGINT interrupts, or that it ends."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest

from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import InterruptUnsupportedError
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt.types import ExitStatus
from kernel_mgmt_subprocess import SubprocessKernelLauncher, make_launcher

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for kernels"),
]

Start: TypeAlias = Callable[..., Awaitable[KernelClient]]

XPYTHON = ["python", "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"]
DIES_OF_SIGINT = fake_kernel_argv("--sigint", "die")


@pytest.fixture
async def start(runtime_dir: Path) -> AsyncIterator[Start]:
    """A function that launches a kernel by policy and returns a client of it."""
    async with AsyncExitStack() as stack:

        async def start(argv: list[str], metadata: dict[str, Any]) -> KernelClient:
            launcher = make_launcher(
                {"argv": argv, "metadata": metadata}, kernel_name="a", runtime_dir=runtime_dir
            )
            connection_info, manager = await launcher.launch()
            stack.push_async_callback(manager.cleanup)
            stack.push_async_callback(manager.kill)
            client = await stack.enter_async_context(KernelClient(connection_info, manager))
            await client.wait_for_ready(30)
            return client

        yield start


async def test_a_kernel_that_sigint_would_end_is_not_sent_it(start: Start) -> None:
    client = await start(XPYTHON, {})

    with pytest.raises(InterruptUnsupportedError, match="cannot be interrupted"):
        await client.interrupt()
    with anyio.fail_after(30):
        assert (await client.execute("6 * 7")).content["status"] == "ok"


async def test_a_kernel_that_sigint_would_end_may_be_interrupted_by_message(start: Start) -> None:
    client = await start(DIES_OF_SIGINT, {"kernel_mgmt": {"interrupt_mode": "message"}})
    with anyio.fail_after(30):
        request = client.execute("sleep 60")
        async for message in request:
            if message.msg_type == "execute_input":
                break
        reply = await client.interrupt()
        interrupted = await request

    assert reply is not None
    assert interrupted.content["ename"] == "KeyboardInterrupt"


async def test_an_interrupt_of_a_dead_kernel_does_nothing_whatever_its_mode(
    runtime_dir: Path,
) -> None:
    argv = [sys.executable, "-S", "-c", ""]
    launcher = SubprocessKernelLauncher(argv, interrupt_mode="unsupported", runtime_dir=runtime_dir)
    _, manager = await launcher.launch()
    await manager.wait()
    await manager.interrupt()
    await manager.cleanup()

    assert manager.exit_status == ExitStatus(code=0)
