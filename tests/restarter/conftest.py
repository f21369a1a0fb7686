"""Restarters of fake kernels; each test is looked through for what it left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from kernel_mgmt import KernelRestarter, RestartEvent, start_kernel_async
from tests.launchers.conftest import nothing_is_left, started_zmq
from tests.lives_provider import LivesProvider

__all__ = ("nothing_is_left", "started_zmq")

Watch: TypeAlias = Callable[..., Awaitable[KernelRestarter]]


@pytest.fixture
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's runtime directory, which must be empty after the test."""
    path = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(path))
    return path


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    """A function that starts a kernel of a provider, and a restarter that watches it.

    In the end the restarter is stopped, and whatever the provider has launched is ended.
    """
    async with AsyncExitStack() as stack:

        async def watch(
            provider: LivesProvider, kernel: str = "ipc", **arguments: Any
        ) -> KernelRestarter:
            name = f"lives/{kernel}"
            cwd, launch_params = arguments.get("cwd"), arguments.get("launch_params")
            options = arguments.get("options")
            stack.push_async_callback(end_all, provider)
            manager, client = await start_kernel_async(
                name, cwd, launch_params, finder=provider.finder, options=options
            )
            client.close()
            restarter = KernelRestarter(manager, name, provider.finder, **arguments)
            return await stack.enter_async_context(restarter)

        yield watch


async def end_all(provider: LivesProvider) -> None:
    for manager in provider.managers:
        await manager.kill()
        await manager.cleanup()


class Told(list[RestartEvent]):
    """The events that a restarter has told."""

    def __init__(self, restarter: KernelRestarter) -> None:
        for name in ("died", "restarted", "failed"):
            restarter.add_callback(self.append, name)

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self]


class Pauses(list[float]):
    """Sleeps no time, and notes what was asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
