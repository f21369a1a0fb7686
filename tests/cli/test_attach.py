"""Take hold of a kernel that another program has started."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from kernel_mgmt.cli._attach import attached
from kernel_mgmt.cli._status import CommandError, Status
from tests.conftest import left_behind

from .kernels import Kernels

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernels]:
    kernels = Kernels(tmp_path_factory.mktemp("kernels"))
    yield kernels
    kernels.run("prune")

    assert left_behind(kernels.runtime_dir) == []


@pytest.fixture(scope="module")
def stays(kernels: Kernels) -> Iterator[str]:
    """A kernel that stays through all the tests; its id."""
    kernel_id = kernels.start("pyimport/kernel", "--name", "stays")
    yield kernel_id
    kernels.run("stop", "stays")


@pytest.fixture(autouse=True)
def _directory(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(kernels.runtime_dir))


async def test_a_kernel_is_taken_hold_of_by_its_name_and_left_running(
    kernels: Kernels, stays: str
) -> None:
    for name in ("stays", stays, stays[:8]):
        async with attached(name) as (manager, client):
            reply = await client.execute("1 + 1")
            assert manager is not None
            assert (manager.kernel_id, reply.content["status"]) == (stays, "ok")


async def test_a_connection_file_will_do(kernels: Kernels, stays: str) -> None:
    path = kernels.record(stays).connection_file
    for name in (path, os.path.relpath(path), Path(path).name):
        async with attached(name) as (manager, client):
            reply = await client.execute("1 + 1")
            assert (manager, reply.content["status"]) == (None, "ok")


async def test_the_end_of_a_kernel_is_noticed_that_only_a_connection_file_tells_of(
    kernels: Kernels,
) -> None:
    record = kernels.record(kernels.start("fake"))

    async def die() -> None:
        async with attached(record.connection_file, silent_most=0.2) as (_, client):
            os.kill(record.process.pid, signal.SIGKILL)
            await client.execute("pid")

    with anyio.fail_after(60), pytest.raises(CommandError, match="out of reach") as raised:
        await die()

    assert raised.value.status is Status.RAISED


@pytest.mark.parametrize("name", ["nobody", "./nobody", "kernel-nobody.json"])
async def test_what_is_not_there_is_told(name: str) -> None:
    with pytest.raises(CommandError, match="nobody") as raised:
        async with attached(name):
            pass

    assert raised.value.status is Status.NO_SUCH_KERNEL
