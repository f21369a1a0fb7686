"""Kernels of each kind that are killed at the worst moment, and kernels whose owner is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import anyio
import anyio.lowlevel
import pytest

from kernel_mgmt import (
    KernelClient,
    KernelDiedError,
    KernelFinder,
    KernelLaunchError,
    start_kernel_async,
)
from kernel_mgmt.records import find_records
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt.types import ExitStatus
from kernel_mgmt_spec import KernelSpecProvider
from kernel_mgmt_subprocess import KernelManager, reattach
from tests.launchers.owner import Owner

pytestmark = pytest.mark.anyio

if sys.platform != "linux":
    pytest.skip(
        "elsewhere: only Linux kills kernels by signals that pidfds tell of",
        allow_module_level=True,
    )


class Kernel(NamedTuple):
    """A kernel, and code that says something and then takes long."""

    argv: list[str]
    code: str


SLEEP = "import time; print('begun', flush=True); time.sleep(60)"
KERNELS = {
    "fake": Kernel(fake_kernel_argv("--slow-start", "0.5"), "print begun\nsleep 60"),
    "ipykernel": Kernel(
        [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], SLEEP
    ),
    "xpython-raw": Kernel(
        [sys.executable, "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"], SLEEP
    ),
    "bash": Kernel(
        [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"], "echo begun; sleep 60"
    ),
    "IRkernel": Kernel(
        ["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"],
        "cat('begun\\n'); flush.console(); Sys.sleep(60)",
    ),
}
needs_r = pytest.mark.skipif(shutil.which("R") is None, reason="R is not installed")
each_kind = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=needs_r if kind == "IRkernel" else ()) for kind in KERNELS]
)


@pytest.fixture
def finder(tmp_path: Path, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch) -> KernelFinder:
    """A finder that has the kernels as ``spec/<kind>``."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime_dir))
    for kind, kernel in KERNELS.items():
        folder = tmp_path / "kernels" / kind
        folder.mkdir(parents=True)
        spec = {"argv": kernel.argv, "display_name": kind, "language": "any"}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return KernelFinder([KernelSpecProvider([tmp_path / "kernels"])])


@pytest.fixture
def owner(anyio_backend: str, runtime_dir: Path) -> Iterator[Owner]:
    """A program that launches kernels."""
    owner = Owner(anyio_backend, runtime_dir)
    yield owner
    owner.close()


async def start(kind: str, finder: KernelFinder) -> tuple[KernelManager, KernelClient]:
    """Start a kernel of a kind."""
    manager, client = await start_kernel_async(f"spec/{kind}", finder=finder)
    assert isinstance(manager, KernelManager)
    return manager, client


@each_kind
async def test_a_kernel_that_is_killed_while_it_starts_is_told_and_leaves_nothing(
    kind: str, finder: KernelFinder, runtime_dir: Path
) -> None:
    statuses: list[ExitStatus | None] = []

    async def kill() -> None:
        while not (records := find_records(runtime_dir).records):
            await anyio.sleep(0.001)
        os.kill(records[0].process.pid, signal.SIGKILL)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(kill)
            with pytest.raises(KernelLaunchError, match="before it was ready") as caught:
                await start(kind, finder)
            statuses.append(caught.value.exit_status)

    assert [status.signal for status in statuses if status] == [signal.SIGKILL]


@each_kind
async def test_a_kernel_that_is_killed_in_a_request_is_told_and_leaves_nothing(
    kind: str, finder: KernelFinder
) -> None:
    with anyio.fail_after(60):
        manager, client = await start(kind, finder)
        async with client:
            request = client.execute(KERNELS[kind].code)
            async for message in request:
                if message.msg_type == "stream":
                    break
            os.kill(manager.pid, signal.SIGKILL)
            with pytest.raises(KernelDiedError) as caught:
                await request
        await manager.cleanup()

    assert caught.value.exit_status is not None
    assert caught.value.exit_status.signal == signal.SIGKILL


@each_kind
async def test_a_kernel_that_is_killed_while_it_is_to_end_has_ended_and_leaves_nothing(
    kind: str, finder: KernelFinder
) -> None:
    stages: list[str] = []

    async def shut_down() -> None:
        stages.append(await client.shutdown_or_terminate(60))

    with anyio.fail_after(60):
        manager, client = await start(kind, finder)
        async with client, anyio.create_task_group() as tasks:
            # So that the request to end stays unanswered.
            os.kill(manager.pid, signal.SIGSTOP)
            tasks.start_soon(shut_down)
            await anyio.wait_all_tasks_blocked()
            os.kill(manager.pid, signal.SIGKILL)

    assert stages == ["shutdown"]
    assert manager.exit_status is not None
    assert manager.exit_status.signal == signal.SIGKILL


@needs_r
async def test_twenty_kernels_of_five_kinds_end_with_their_owner(
    owner: Owner, runtime_dir: Path
) -> None:
    commands = [kernel.argv for kernel in KERNELS.values()] * 2
    pids = owner.launch(*commands) + owner.launch(*commands, transport="ipc")
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    owner.kill()
    with anyio.fail_after(30):
        while os.listdir(runtime_dir) or any(Path(f"/proc/{pid}").exists() for pid in pids):
            await anyio.sleep(0.005)

    assert len(alive) == 20


@each_kind
async def test_two_managers_of_one_record_use_and_end_the_kernel(
    owner: Owner, kind: str, runtime_dir: Path
) -> None:
    owner.launch(KERNELS[kind].argv, persist=True)
    (record,) = find_records(runtime_dir).records
    owner.kill()
    managers = [reattach(record), reattach(record)]
    statuses: list[str] = []

    async def use_and_end(manager: KernelManager) -> None:
        async with KernelClient(manager.connection_info, manager) as client:
            await client.wait_for_ready(30)
            statuses.append((await client.kernel_info()).content.get("status", "ok"))
            while len(statuses) < 2:
                await anyio.lowlevel.checkpoint()
            # Asked twice, a bash kernel may not end by itself.
            await client.shutdown_or_terminate()

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for manager in managers:
                tasks.start_soon(use_and_end, manager)
    alive = [await manager.is_alive() for manager in managers]

    assert statuses == ["ok"] * 2
    assert alive == [False] * 2
