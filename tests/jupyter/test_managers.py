"""The managers of one kernel, above all in what jupyter_client's own have wrong.

With ``jupyter_client.AsyncKernelManager`` for ``MANAGER``, most of these tests fail.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from jupyter_client import manager as of_jupyter_client
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from traitlets.config import LoggingConfigurable

from kernel_mgmt import KernelLaunchError, KernelStateError
from kernel_mgmt.jupyter import (
    AsyncKernelClient,
    AsyncKernelManager,
    BlockingKernelClient,
    KernelManager,
    start_new_async_kernel,
)
from kernel_mgmt.testing import fake_kernel_argv
from tests.conftest import left_behind

from .conftest import MakeSpec

pytestmark = pytest.mark.anyio

MANAGER: Any = AsyncKernelManager
BROKEN = "import sys; print('no module named oblong', file=sys.stderr); sys.exit(3)"


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests on asyncio alone: jupyter_client knows no other."""
    return "asyncio"


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory, in which nothing is left, and no process that was given it."""
    directory = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(directory))
    yield directory
    assert left_behind(directory) == []


@pytest.fixture
async def manager(make_spec: MakeSpec) -> AsyncIterator[Any]:
    """The manager of a kernel that is not started yet."""
    make_spec("fake", argv=fake_kernel_argv())
    manager = MANAGER(kernel_name="fake")
    yield manager
    with anyio.CancelScope(shield=True):
        await manager.shutdown_kernel(now=True)


async def test_it_is_a_kernel_manager_of_jupyter_client(manager: Any) -> None:
    await manager.start_kernel()

    assert isinstance(manager, of_jupyter_client.AsyncKernelManager)
    assert isinstance(manager, of_jupyter_client.KernelManager)


async def test_new_ports_are_new(manager: Any) -> None:
    await manager.start_kernel()
    before = manager.ports

    await manager.restart_kernel(now=True, newports=True)

    assert set(manager.ports).isdisjoint(before)


async def test_new_ports_spare_one_that_is_configured(manager: Any) -> None:
    await manager.start_kernel()
    before = manager.ports
    await manager.shutdown_kernel(now=True)
    other = MANAGER(kernel_name="fake", shell_port=before[0])
    await other.start_kernel()
    try:
        await other.restart_kernel(now=True, newports=True)
    finally:
        await other.shutdown_kernel(now=True)

    assert other.ports[0] == before[0]


async def test_a_restart_keeps_the_place(manager: Any) -> None:
    await manager.start_kernel()
    before = manager.get_connection_info()

    await manager.restart_kernel(now=True)

    assert manager.get_connection_info() == before


async def test_a_start_that_is_cancelled_leaves_nothing(manager: Any, runtime_dir: Path) -> None:
    starting = asyncio.create_task(manager.start_kernel())
    with anyio.fail_after(30):
        # The process is there as soon as its connection file is.
        while not list(runtime_dir.glob("kernel-*.json")):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])

    assert starting.cancelled()
    assert isinstance(manager.ready.exception(), KernelStateError)
    assert not manager.has_kernel
    assert left_behind(runtime_dir) == []


async def test_a_start_that_was_cancelled_can_be_made_again(manager: Any) -> None:
    starting = asyncio.create_task(manager.start_kernel())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])

    await manager.start_kernel()

    assert await manager.is_alive()
    assert manager.ready.exception() is None


async def test_nobody_joins_a_start_that_is_undone(manager: Any) -> None:
    starting = asyncio.create_task(manager.start_kernel())
    await asyncio.sleep(0)
    starting.cancel()
    # In the step after, the start is cancelled and has not ended.
    await asyncio.sleep(0)
    await manager.start_kernel()

    assert await manager.is_alive()


async def test_a_kernel_can_be_started_after_its_shutdown(manager: Any) -> None:
    await manager.start_kernel()
    await manager.shutdown_kernel(now=True)
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    client.stop_channels()

    assert await manager.is_alive()


async def test_a_kernel_can_be_shut_down_twice(manager: Any) -> None:
    await manager.shutdown_kernel()
    await manager.start_kernel()
    await manager.shutdown_kernel()
    await manager.shutdown_kernel()

    assert manager.ready.exception() is None


async def test_a_shutdown_whose_caller_is_cancelled_goes_on_to_its_end(
    manager: Any, runtime_dir: Path
) -> None:
    await manager.start_kernel()
    ending = asyncio.create_task(manager.shutdown_kernel())
    await asyncio.sleep(0)
    ending.cancel()
    with anyio.fail_after(30):
        await asyncio.wait([ending])
        await manager.ready

    assert ending.cancelled()
    assert not manager.has_kernel
    assert left_behind(runtime_dir) == []


def test_a_shutdown_that_its_event_loop_does_not_outlive_ends_the_kernel(
    make_spec: MakeSpec, runtime_dir: Path
) -> None:
    make_spec("fake", argv=fake_kernel_argv())

    async def begin_to_shut_down() -> None:
        manager = MANAGER(kernel_name="fake")
        await manager.start_kernel()
        ending = asyncio.create_task(manager.shutdown_kernel())
        await asyncio.wait([ending], timeout=0)

    asyncio.run(begin_to_shut_down())

    assert left_behind(runtime_dir) == []


async def test_shutdowns_at_the_same_time_are_one(manager: Any) -> None:
    await manager.start_kernel()

    await asyncio.gather(*(manager.shutdown_kernel() for _ in range(3)))

    assert not manager.has_kernel
    assert manager.ready.exception() is None


async def test_starts_at_the_same_time_are_one(manager: Any, runtime_dir: Path) -> None:
    await asyncio.gather(*(manager.start_kernel() for _ in range(3)))

    assert len(list(runtime_dir.glob("kernel-*.json"))) == 1


async def test_a_shutdown_has_the_last_word_over_a_restart(manager: Any) -> None:
    await manager.start_kernel()

    restarting = asyncio.create_task(manager.restart_kernel())
    await asyncio.sleep(0)
    await manager.shutdown_kernel()

    with pytest.raises(KernelStateError, match="restart"):
        await restarting
    assert not manager.has_kernel


async def test_a_kernel_that_is_being_shut_down_is_not_restarted(
    manager: Any,
) -> None:
    await manager.start_kernel()
    ending = asyncio.create_task(manager.shutdown_kernel())
    await asyncio.sleep(0)
    with pytest.raises(KernelStateError, match="restart"):
        await manager.restart_kernel()
    await ending

    assert not manager.has_kernel


async def test_a_shutdown_hastens_one_that_waits_for_the_kernel(make_spec: MakeSpec) -> None:
    deaf = (
        "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(99)"
    )
    make_spec("deaf", argv=[sys.executable, "-S", "-c", deaf])
    manager = MANAGER(kernel_name="deaf", shutdown_wait_time=600.0)
    await manager.start_kernel()
    ending = asyncio.create_task(manager.shutdown_kernel())
    await asyncio.sleep(0)
    with anyio.fail_after(60):
        await manager.shutdown_kernel(now=True)
        await ending

    assert not manager.has_kernel


async def test_an_interrupt_that_fails_does_not_keep_a_kernel_alive(make_spec: MakeSpec) -> None:
    class FailsToInterrupt(AsyncKernelManager):
        async def _async_interrupt_kernel(self) -> None:
            raise ProcessLookupError

    make_spec("fake", argv=fake_kernel_argv())
    manager: Any = FailsToInterrupt(kernel_name="fake")
    await manager.start_kernel()
    await manager.shutdown_kernel()

    assert not manager.has_kernel


async def test_a_kernel_that_ends_at_startup_says_how_and_why(make_spec: MakeSpec) -> None:
    make_spec("broken", argv=[sys.executable, "-S", "-c", BROKEN])

    with pytest.raises(KernelLaunchError, match=r"(?s)exit code 3.*no module named oblong") as told:
        await start_new_async_kernel(kernel_name="broken")

    assert isinstance(told.value, RuntimeError)


async def test_a_client_says_how_the_kernel_has_ended(make_spec: MakeSpec) -> None:
    make_spec("broken", argv=[sys.executable, "-S", "-c", BROKEN])
    manager = MANAGER(kernel_name="broken")
    await manager.start_kernel()
    client = manager.client()
    client.start_channels()
    with pytest.raises(RuntimeError, match=r"(?s)exit code 3.*no module named oblong"):
        await client.wait_for_ready(timeout=60)
    client.stop_channels()
    await manager.shutdown_kernel(now=True)

    assert manager.exit_status.code == 3


def test_its_clients_are_ours() -> None:
    blocking, asynchronous = KernelManager(), AsyncKernelManager()

    assert type(blocking.client()) is BlockingKernelClient
    assert type(asynchronous.client()) is AsyncKernelClient
    assert type(asynchronous.blocking_client()) is BlockingKernelClient


async def test_a_program_that_is_not_there_is_told_as_jupyter_client_does(
    make_spec: MakeSpec,
) -> None:
    make_spec("absent", argv=["no-such-program"])
    manager = MANAGER(kernel_name="absent")

    with pytest.raises(FileNotFoundError):
        await manager.start_kernel()

    assert isinstance(manager.ready.exception(), FileNotFoundError)


OWNER = """
import asyncio, sys
from kernel_mgmt.jupyter import AsyncKernelManager

async def main():
    manager = AsyncKernelManager(kernel_name="fake", connection_file=sys.argv[1])
    await manager.start_kernel()
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_kernel_ends_with_a_program_that_is_killed(
    make_spec: MakeSpec, runtime_dir: Path, tmp_path: Path
) -> None:
    make_spec("fake", argv=fake_kernel_argv())
    connection_file = tmp_path / "mine.json"
    argv = [sys.executable, "-c", OWNER, str(connection_file)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "started\n"
        assert json.loads(connection_file.read_text())["key"]
        os.kill(owner.pid, signal.SIGKILL)

    assert left_behind(runtime_dir) == []
    assert not connection_file.exists()


async def test_a_kernel_type_is_a_name_for_a_kernel() -> None:
    manager: Any = MANAGER(kernel_name="pyimport/kernel")
    dotted: Any = MANAGER(kernel_name="pyimport.kernel")

    assert manager.kernel_spec.display_name == dotted.kernel_spec.display_name
    assert manager.kernel_spec.metadata["kernel_provisioner"]["provisioner_name"] == "kernel-mgmt"


async def test_a_kernelspec_may_name_another_provisioner(make_spec: MakeSpec) -> None:
    stanza = {"provisioner_name": "local-provisioner"}
    make_spec("theirs", argv=fake_kernel_argv(), metadata={"kernel_provisioner": stanza})
    manager = MANAGER(kernel_name="theirs")
    await manager.start_kernel()
    before = manager.ports
    await manager.restart_kernel(now=True, newports=True)
    await manager.shutdown_kernel(now=True)

    assert type(manager.provisioner) is LocalProvisioner
    assert set(manager.ports).isdisjoint(before)


async def test_the_environment_may_name_another_provisioner(
    manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    KernelProvisionerFactory.clear_instance()
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", "local-provisioner")
    await manager.start_kernel()

    assert type(manager.provisioner) is LocalProvisioner


async def test_the_configuration_may_name_another_provisioner(make_spec: MakeSpec) -> None:
    make_spec("fake", argv=fake_kernel_argv())
    KernelProvisionerFactory.clear_instance()
    server = LoggingConfigurable()
    server.config.KernelProvisionerFactory.default_provisioner_name = "local-provisioner"
    manager = MANAGER(kernel_name="fake", parent=server)
    await manager.start_kernel()
    await manager.shutdown_kernel(now=True)
    KernelProvisionerFactory.clear_instance()

    assert type(manager.provisioner) is LocalProvisioner
