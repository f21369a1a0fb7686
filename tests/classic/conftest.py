"""Kernels that the tests of the classic interface talk to; each test is looked through."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import anyio.lowlevel
import pytest

from kernel_mgmt import KernelFinder, _portal, run_kernel_blocking
from kernel_mgmt.classic import AsyncKernelClient, BlockingKernelClient
from kernel_mgmt.classic._settings import connection_settings
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_pyimport import IPykernelProvider
from tests.client.conftest import launched
from tests.fake_provider import FakeProvider
from tests.launchers.conftest import nothing_is_left, started_zmq

__all__ = ("nothing_is_left", "started_zmq")

StartFake: TypeAlias = Callable[..., Awaitable[AsyncKernelClient]]
StartBlocking: TypeAlias = Callable[..., BlockingKernelClient]

# An id of a kernel that no other test run has, whose kernels would be ended with ours.
MINE = f"mine-{uuid4()}"

IPYKERNEL = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.fixture(scope="session", autouse=True)
def started_portal() -> None:
    """Start the background thread of the process, which stays."""
    _portal.call(anyio.lowlevel.checkpoint)


@pytest.fixture
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's runtime directory, which must be empty after the test."""
    path = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(path))
    return path


@pytest.fixture
async def start_client(runtime_dir: Path) -> AsyncIterator[StartFake]:
    """A function that starts a fake kernel, or ipykernel, and returns a classic client of it."""
    async with AsyncExitStack() as stack:

        async def start(
            *switches: str,
            ready: bool = True,
            managed: bool = True,
            argv: list[str] | None = None,
            **keywords: Any,
        ) -> AsyncKernelClient:
            argv = fake_kernel_argv(*switches) if argv is None else argv
            owner = await stack.enter_async_context(launched(argv, runtime_dir))
            manager = owner.manager if managed else None
            client = AsyncKernelClient(
                manager=manager,
                parent=owner.manager,
                **connection_settings(owner.connection_info),
                **keywords,
            )
            stack.callback(client.stop_channels)
            client.start_channels()
            if ready:
                await client.wait_for_ready(30)
            return client

        yield start


@pytest.fixture
def start_blocking(runtime_dir: Path) -> Iterator[StartBlocking]:
    """A function that starts a fake kernel, or ipykernel, and returns a classic client of it."""
    with ExitStack() as stack:

        def start(
            *switches: str, ipykernel: bool = False, managed: bool = True
        ) -> BlockingKernelClient:
            provider = IPykernelProvider() if ipykernel else FakeProvider(*switches)
            name = "pyimport/kernel" if ipykernel else "fake/ipc"
            running = run_kernel_blocking(name, finder=KernelFinder([provider]))
            owner = stack.enter_context(running)
            manager = owner.manager if managed else None
            client = BlockingKernelClient(
                manager=manager, **connection_settings(owner.connection_info)
            )
            stack.callback(client.stop_channels)
            client.start_channels()
            client.wait_for_ready(30)
            return client

        yield start
