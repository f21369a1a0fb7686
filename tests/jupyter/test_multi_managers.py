"""The managers of many kernels, above all in what jupyter_client's own have wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from jupyter_client import multikernelmanager as of_jupyter_client
from jupyter_client.multikernelmanager import DuplicateKernelError

from kernel_mgmt.jupyter import (
    AsyncIOLoopKernelManager,
    AsyncMultiKernelManager,
    MultiKernelManager,
)
from kernel_mgmt.testing import fake_kernel_argv
from tests.conftest import left_behind

from .conftest import MakeSpec

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests on asyncio alone: jupyter_client knows no other."""
    return "asyncio"


@pytest.fixture(autouse=True)
def runtime_dir(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A runtime directory, in which nothing is left, and no process that was given it."""
    directory = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(directory))
    make_spec("fake", argv=fake_kernel_argv())
    yield directory
    assert left_behind(directory) == []


@pytest.fixture
async def kernels() -> AsyncIterator[Any]:
    """A manager of kernels, which are ended."""
    kernels: Any = AsyncMultiKernelManager(default_kernel_name="fake")
    yield kernels
    with anyio.CancelScope(shield=True):
        await kernels.shutdown_all(now=True)


async def test_its_kernels_are_managed_by_our_class(kernels: Any, runtime_dir: Path) -> None:
    kernel_id = await kernels.start_kernel()

    assert isinstance(kernels, of_jupyter_client.AsyncMultiKernelManager)
    assert type(kernels.get_kernel(kernel_id)) is AsyncIOLoopKernelManager
    assert [path.stem for path in runtime_dir.glob("kernel-*.json")] == [f"kernel-{kernel_id}"]


async def test_kernels_have_one_context(kernels: Any) -> None:
    started = [await kernels.start_kernel(), await kernels.start_kernel()]

    assert {id(kernels.get_kernel(each).context) for each in started} == {id(kernels.context)}


async def test_a_kernel_ends_though_its_context_was_destroyed(kernels: Any) -> None:
    manager = kernels.get_kernel(await kernels.start_kernel())
    kernels.context.destroy(linger=0)
    await kernels.shutdown_kernel(manager.kernel_id, now=True)

    assert manager.ready.exception() is None
    assert not manager.has_kernel


async def test_two_kernels_cannot_be_started_under_one_id(kernels: Any) -> None:
    starting = asyncio.create_task(kernels.start_kernel(kernel_id="oblong"))
    await asyncio.sleep(0)
    with pytest.raises(DuplicateKernelError):
        await kernels.start_kernel(kernel_id="oblong")
    await starting

    assert kernels.list_kernel_ids() == ["oblong"]


async def test_a_start_that_is_cancelled_is_forgotten(kernels: Any, runtime_dir: Path) -> None:
    starting = asyncio.create_task(kernels.start_kernel(kernel_id="oblong"))
    with anyio.fail_after(30):
        while not list(runtime_dir.glob("kernel-*.json")):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])

    assert left_behind(runtime_dir) == []
    assert await kernels.start_kernel(kernel_id="oblong") == "oblong"


async def test_a_shutdown_whose_caller_is_cancelled_goes_on_to_its_end(kernels: Any) -> None:
    manager = kernels.get_kernel(await kernels.start_kernel())
    ending = asyncio.create_task(kernels.shutdown_kernel(manager.kernel_id))
    await asyncio.sleep(0)
    ending.cancel()
    with anyio.fail_after(30):
        await asyncio.wait([ending])
        while manager.kernel_id in kernels:
            await asyncio.sleep(0)

    assert not manager.has_kernel


async def test_shutdowns_at_the_same_time_are_one(kernels: Any) -> None:
    kernel_id = await kernels.start_kernel()

    await asyncio.gather(*(kernels.shutdown_kernel(kernel_id) for _ in range(3)))

    assert kernel_id not in kernels


async def test_a_pending_kernel_is_there_before_it_runs() -> None:
    kernels: Any = AsyncMultiKernelManager(default_kernel_name="fake", use_pending_kernels=True)
    kernel_id = await kernels.start_kernel()
    manager = kernels.get_kernel(kernel_id)
    pending = not manager.ready.done()
    await manager.ready
    runs = await manager.is_alive()
    await kernels.shutdown_all(now=True)

    assert pending
    assert runs


async def test_kernels_of_other_programs_are_let_be(kernels: Any, tmp_path: Path) -> None:
    manager = kernels.get_kernel(await kernels.start_kernel())
    info = json.loads(Path(manager.connection_file).read_text())
    external = tmp_path / "external"
    external.mkdir()
    (external / "kernel-theirs.json").write_text(json.dumps({**info, "kernel_name": "fake"}))
    others: Any = AsyncMultiKernelManager(external_connection_dir=str(external))
    [kernel_id] = others.list_kernel_ids()
    await others.shutdown_kernel(kernel_id)

    assert kernel_id not in others
    assert await manager.is_alive()


def test_a_blocking_manager_starts_and_ends_kernels() -> None:
    kernels: Any = MultiKernelManager(default_kernel_name="fake")
    kernel_id = kernels.start_kernel()
    alive = kernels.is_alive(kernel_id)
    kernels.shutdown_all()

    assert alive
    assert len(kernels) == 0
