"""Kernels that the tests of the client talk to."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from kernel_mgmt import ConnectionInfo
from kernel_mgmt.client import KernelClient
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher, SubprocessLauncher

StartFake: TypeAlias = Callable[..., Awaitable[KernelClient]]
MakeLauncher: TypeAlias = Callable[[list[str], Path], SubprocessLauncher]


class KeylessLauncher(SubprocessIPCKernelLauncher):
    """Starts a kernel whose connection file has no key."""

    def make_connection_file(self) -> tuple[str, ConnectionInfo]:
        path, connection_info = super().make_connection_file()
        connection_info["key"] = ""
        Path(path).write_text(json.dumps(connection_info), encoding="utf-8")
        return path, connection_info


def ipc_launcher(argv: list[str], runtime_dir: Path) -> SubprocessLauncher:
    return SubprocessIPCKernelLauncher(argv, runtime_dir=runtime_dir)


def keyless_launcher(argv: list[str], runtime_dir: Path) -> SubprocessLauncher:
    return KeylessLauncher(argv, runtime_dir=runtime_dir)


@asynccontextmanager
async def launched(
    argv: list[str], runtime_dir: Path, make_launcher: MakeLauncher = ipc_launcher
) -> AsyncGenerator[KernelClient]:
    """A client of a kernel that is on its way up; the kernel is killed in the end."""
    connection_info, manager = await make_launcher(argv, runtime_dir).launch()
    try:
        keyless = not connection_info.get("key")
        async with KernelClient(connection_info, manager, allow_unsigned=keyless) as client:
            yield client
    finally:
        await manager.kill()
        await manager.cleanup()


@pytest.fixture
async def start_fake(tmp_path: Path) -> AsyncIterator[StartFake]:
    """A function that starts a fake kernel with some switches, and waits until it is ready."""
    async with AsyncExitStack() as stack:

        async def start(
            *switches: str, ready: bool = True, make_launcher: MakeLauncher = ipc_launcher
        ) -> KernelClient:
            client = await stack.enter_async_context(
                launched(fake_kernel_argv(*switches), tmp_path, make_launcher)
            )
            if ready:
                await client.wait_for_ready(30)
            return client

        yield start


@pytest.fixture
async def ipykernel(tmp_path: Path) -> AsyncIterator[KernelClient]:
    """A client of a real kernel that is ready."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    async with launched(argv, tmp_path) as client:
        await client.wait_for_ready(30)
        yield client
