"""Take hold of a kernel that another program has started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel_mgmt.cli._attach import attached
from kernel_mgmt.cli._status import CommandError, Status

from .kernels import Kernels

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    return Kernels(tmp_path_factory.mktemp("kernels"))


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


@pytest.mark.parametrize("name", ["nobody", "./nobody", "kernel-nobody.json"])
async def test_what_is_not_there_is_told(name: str) -> None:
    with pytest.raises(CommandError, match="nobody") as raised:
        async with attached(name):
            pass

    assert raised.value.status is Status.NO_SUCH_KERNEL
