"""The provisioner, through which jupyter_client's own managers launch kernels."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from kernel_mgmt import LaunchOptionError, NoSuchKernelError
from kernel_mgmt.jupyter._place import free_ports
from kernel_mgmt.jupyter.provisioner import KernelProvisioner
from kernel_mgmt.testing import fake_kernel_argv

from .conftest import MakeSpec, Start, install_elsewhere, outputs_of

WITHOUT_OPTIONS = """
from kernel_mgmt import KernelProviderBase
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_subprocess import SubprocessKernelLauncher


class Provider(KernelProviderBase):
    id = "elsewhere"

    def find_kernels(self):
        yield "fake", {"language": "none"}

    async def launch(self, name, cwd=None, launch_params=None):
        return await SubprocessKernelLauncher(fake_kernel_argv(), cwd).launch()
"""


@pytest.fixture(autouse=True)
def _is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", "kernel-mgmt")
    from jupyter_client.provisioning.factory import KernelProvisionerFactory

    # One for the process, which has read the variable if it is there already.
    KernelProvisionerFactory.clear_instance()


def launched_by(manager: KernelManager) -> KernelProvisioner:
    provisioner = manager.provisioner
    assert isinstance(provisioner, KernelProvisioner)
    return provisioner


def six_times_seven(client: BlockingKernelClient) -> Any:
    return outputs_of(client, "6 * 7")[-1]["content"]["data"]["text/plain"]


def test_a_kernelspec_is_launched_by_its_provider(start: Start) -> None:
    manager, client = start("python3")

    assert launched_by(manager).has_process
    assert six_times_seven(client) == "42"


def test_a_restart_keeps_the_ports_and_open_connections(start: Start) -> None:
    manager, client = start("python3")
    before = manager.get_connection_info()

    manager.restart_kernel()
    client.wait_for_ready(timeout=60)

    assert manager.get_connection_info() == before
    assert six_times_seven(client) == "42"


def test_new_ports_are_new(start: Start) -> None:
    manager, _ = start("python3")
    before = manager.get_connection_info()

    manager.restart_kernel(newports=True)

    assert manager.get_connection_info() != before


def test_a_kernel_that_has_died_keeps_its_ports_though_the_restarter_asks_for_new_ones(
    start: Start,
) -> None:
    manager, client = start("python3")
    before = manager.get_connection_info()
    client.execute("import os; os._exit(1)")
    while manager.is_alive():
        sleep(0.01)

    manager.restart_kernel(now=True, newports=True)
    client.wait_for_ready(timeout=60)
    after_its_death = manager.get_connection_info()
    manager.restart_kernel(newports=True)

    assert after_its_death == before
    assert manager.get_connection_info() != before


def test_a_kernelspec_can_name_any_kernel_type(make_spec: MakeSpec, start: Start) -> None:
    config = {"kernel_type": "pyimport/kernel"}
    stanza = {"provisioner_name": "kernel-mgmt", "config": config}
    make_spec("ours", argv=["of no account"], metadata={"kernel_provisioner": stanza})

    _, client = start("ours")

    assert six_times_seven(client) == "42"


def test_an_exported_kernelspec_starts_what_it_stands_for(
    make_spec: MakeSpec, start: Start
) -> None:
    mark = {"kernel_mgmt": {"kernel_type": "pyimport/kernel"}}
    make_spec("ours", argv=["of no account"], metadata=mark)

    _, client = start("ours")

    assert six_times_seven(client) == "42"


def test_a_shutdown_leaves_no_connection_file(start: Start) -> None:
    manager, _ = start("python3")
    connection_file = Path(manager.connection_file)
    assert connection_file.exists()

    manager.shutdown_kernel()

    assert not manager.is_alive()
    assert not connection_file.exists()


def test_a_kernel_that_a_signal_would_end_is_not_interrupted(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    manager, client = start("xpython-raw")
    with caplog.at_level(logging.WARNING):
        manager.interrupt_kernel()

    assert "cannot be interrupted" in caplog.text
    assert six_times_seven(client) == "42"


def test_a_kernel_type_that_is_not_there_raises(make_spec: MakeSpec) -> None:
    config = {"kernel_type": "pyimport/nonsense"}
    stanza = {"provisioner_name": "kernel-mgmt", "config": config}
    make_spec("ours", argv=["of no account"], metadata={"kernel_provisioner": stanza})
    manager = KernelManager(kernel_name="ours")

    with pytest.raises(NoSuchKernelError, match="pyimport/nonsense"):
        manager.start_kernel()


def test_another_process_takes_hold_of_the_kernel(start: Start) -> None:
    import asyncio

    manager, _ = start("python3")
    owner = launched_by(manager)
    other = KernelProvisioner(kernel_id="", kernel_spec=manager.kernel_spec)

    async def take_hold() -> int | None:
        await other.load_provisioner_info(await owner.get_provisioner_info())
        assert await other.poll() is None
        await other.kill()
        return await other.wait()

    asyncio.run(take_hold())

    assert not manager.is_alive()


def test_a_path_is_resolved_as_the_kernel_sees_it(start: Start) -> None:
    manager, client = start("python3")
    outputs = outputs_of(client, "import os; print(os.path.abspath('x'))")

    assert manager.resolve_path("x") == outputs[-1]["content"]["text"].strip()


def test_a_kernelspec_that_only_the_program_knows_is_launched(tmp_path: Path) -> None:
    spec = {"argv": fake_kernel_argv(), "display_name": "Hidden", "language": "none"}
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    manager = KernelManager(
        kernel_name="hidden", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(tmp_path)])
    )
    manager.start_kernel()
    alive = manager.is_alive()
    manager.shutdown_kernel(now=True)

    assert alive


def test_the_settings_of_the_program_name_the_place(make_spec: MakeSpec, tmp_path: Path) -> None:
    make_spec("fake", argv=fake_kernel_argv())
    manager = KernelManager(kernel_name="fake", transport="ipc", ip=str(tmp_path / "k"))
    manager.start_kernel()
    place = (manager.transport, manager.ip)
    manager.shutdown_kernel(now=True)

    assert place == ("ipc", str(tmp_path / "k"))


def test_one_port_can_be_set(make_spec: MakeSpec) -> None:
    make_spec("fake", argv=fake_kernel_argv())
    [port] = free_ports("127.0.0.1", 1)
    manager = KernelManager(kernel_name="fake", hb_port=port)
    manager.start_kernel()
    ports = manager.ports
    manager.shutdown_kernel(now=True)

    assert manager.hb_port == port
    assert len(set(ports)) == 5
    assert 0 not in ports


def test_a_program_that_is_not_there_is_an_error_that_programs_know(make_spec: MakeSpec) -> None:
    make_spec("absent", argv=["no-such-program"])

    with pytest.raises(FileNotFoundError):
        KernelManager(kernel_name="absent").start_kernel()


def test_a_kernel_that_began_without_keys_is_restarted_without(
    start: Start,
) -> None:
    manager, client = start("python3", transport="ipc", transport_encryption="auto")
    manager.restart_kernel()
    client.wait_for_ready(timeout=60)

    assert six_times_seven(client) == "42"


@pytest.fixture
def without_options(
    make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KernelManager]:
    """The manager of a kernel type whose provider takes no options."""
    install_elsewhere(tmp_path, monkeypatch, WITHOUT_OPTIONS)
    mark = {"kernel_mgmt": {"kernel_type": "elsewhere/fake"}}
    make_spec("plain", argv=["of no account"], metadata=mark)
    yield KernelManager(kernel_name="plain")
    sys.modules.pop("elsewhere_kernels", None)


def test_a_provider_that_takes_no_options_is_asked_for_none_out_of_habit(
    without_options: KernelManager, caplog: pytest.LogCaptureFixture
) -> None:
    manager = without_options
    with caplog.at_level(logging.INFO):
        manager.start_kernel(env={**os.environ, "JPY_SESSION_NAME": "a.ipynb"})
    client: BlockingKernelClient = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    manager.restart_kernel()
    client.wait_for_ready(timeout=60)
    client.stop_channels()
    manager.shutdown_kernel(now=True)

    assert "'kernel_id' cannot be had" in caplog.text


def test_a_provider_that_takes_no_options_is_not_launched_without_what_is_asked_for(
    without_options: KernelManager,
) -> None:
    with pytest.raises(LaunchOptionError, match="'env'"):
        without_options.start_kernel(env={**os.environ, "TOKEN": "of importance"})


def test_keys_for_curve_that_are_set_are_heeded(start: Start) -> None:
    public, secret = zmq.curve_keypair()
    manager, client = start("python3", curve_publickey=public, curve_secretkey=secret)

    assert manager.get_connection_info().get("curve_publickey") == public.decode()
    assert six_times_seven(client) == "42"
