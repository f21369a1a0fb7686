"""A start that is cancelled at any of its awaits, one after the other, leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import anyio
import pytest

from kernel_mgmt import (
    KernelFinder,
    start_kernel_async,
)

from .conftest import left_behind
from .fake_provider import FakeProvider

T = TypeVar("T")


class Stepped(Generic[T]):
    """Awaits a coroutine, and calls a function before one of its awaits.

    :ivar steps: how many awaits there have been
    """

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], step: int, cancel: Callable[[], object]
    ) -> None:
        self.steps = 0
        self._coroutine = coroutine
        self._step = step
        self._cancel = cancel

    def __await__(self) -> Generator[Any, Any, T]:
        inner = self._coroutine.__await__()
        send: Callable[[], Any] = partial(next, inner)
        while True:
            try:
                awaited = send()
            except StopIteration as stop:
                value: T = stop.value
                return value
            self.steps += 1
            if self.steps == self._step:
                self._cancel()
            try:
                result = yield awaited
            except BaseException as error:  # noqa: BLE001 - handed on to the coroutine
                send = partial(inner.throw, error)
            else:
                send = partial(inner.send, result)


@pytest.fixture
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(path))
    return path


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["tcp", "ipc", "handshake"])
async def test_a_start_cancelled_by_its_scope_leaves_nothing(
    transport: str, runtime_dir: Path
) -> None:
    finder = KernelFinder([FakeProvider()])
    step = 0
    started = False
    while not started:
        step += 1
        with anyio.fail_after(20), anyio.CancelScope() as scope:
            start = start_kernel_async(f"fake/{transport}", finder=finder)
            _, client = await Stepped(start, step, scope.cancel)
            started = True
            # A cancellation at the last await comes too late to undo anything.
            with anyio.CancelScope(shield=True):
                await client.shutdown_or_terminate()
                client.close()

        assert left_behind(runtime_dir) == []
    assert step > 1


@pytest.mark.parametrize("transport", ["tcp", "ipc", "handshake"])
def test_a_start_cancelled_as_a_task_of_asyncio_leaves_nothing(
    transport: str, runtime_dir: Path
) -> None:
    finder = KernelFinder([FakeProvider()])

    async def start_and_cancel(step: int) -> bool:
        task = asyncio.current_task()
        assert task is not None
        start = start_kernel_async(f"fake/{transport}", finder=finder)
        stepped = Stepped(start, step, task.cancel)
        try:
            _, client = await stepped
        except asyncio.CancelledError:
            task.uncancel()
            return False
        await client.shutdown_or_terminate()
        client.close()
        return True

    step = 1
    while not asyncio.run(start_and_cancel(step)):
        assert left_behind(runtime_dir) == []
        step += 1

    assert left_behind(runtime_dir) == []
    assert step > 1
