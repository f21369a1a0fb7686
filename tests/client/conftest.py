"""Kernels that the tests of the client talk to."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from kernel_mgmt.client import KernelClient
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher

StartFake: TypeAlias = Callable[..., Awaitable[KernelClient]]


@asynccontextmanager
async def launched(argv: list[str], runtime_dir: Path) -> AsyncGenerator[KernelClient]:
    """A client of a kernel that is on its way up; the kernel is killed in the end."""
    launcher = SubprocessIPCKernelLauncher(argv, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    try:
        async with KernelClient(connection_info, manager) as client:
            yield client
    finally:
        await manager.kill()
        await manager.cleanup()


@pytest.fixture
async def start_fake(tmp_path: Path) -> AsyncIterator[StartFake]:
    """A function that starts a fake kernel with some switches, and waits until it is ready."""
    async with AsyncExitStack() as stack:

        async def start(*switches: str, ready: bool = True) -> KernelClient:
            client = await stack.enter_async_context(
                launched(fake_kernel_argv(*switches), tmp_path)
            )
            if ready:
                await client.wait_for_ready(10)
            return client

        yield start


@pytest.fixture
async def ipykernel(tmp_path: Path) -> AsyncIterator[KernelClient]:
    """A client of a real kernel that is ready."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    async with launched(argv, tmp_path) as client:
        await client.wait_for_ready(30)
        yield client
