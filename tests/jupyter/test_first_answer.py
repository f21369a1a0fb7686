"""Managers are told that their kernel has answered, and let go of the ports held for it."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

import anyio
import pytest
from jupyter_client.manager import KernelManager

from kernel_mgmt import ConnectionInfo
from kernel_mgmt.jupyter._first_answer import tell_of_the_first_answer
from kernel_mgmt.jupyter.provisioner import KernelProvisioner
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_subprocess import SubprocessKernelLauncher

from .conftest import MakeSpec

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere: /proc tells what a process holds on Linux"
)


def held_ports() -> set[int]:
    """The ports that this process has bound without listening there."""
    ports: set[int] = set()
    for descriptor in _sockets():
        with socket.socket(fileno=os.dup(descriptor)) as held:
            if held.family == socket.AF_INET and not _is_in_use(held):
                ports.add(held.getsockname()[1])
    return ports


def _sockets() -> list[int]:
    found: list[int] = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                found.append(int(descriptor))
    return found


def _is_in_use(held: socket.socket) -> bool:
    if held.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return True
    with suppress(OSError):
        held.getpeername()
        return True
    return False


def ports_of(connection_info: ConnectionInfo) -> set[object]:
    return {value for name, value in connection_info.items() if name.endswith("_port")}


@pytest.mark.anyio
async def test_the_ports_are_let_go_when_the_kernel_answers() -> None:
    connection_info, manager = await SubprocessKernelLauncher(fake_kernel_argv()).launch()
    before = held_ports()
    with anyio.fail_after(30):
        await tell_of_the_first_answer(connection_info, manager)
    after = held_ports()
    await manager.kill()
    await manager.cleanup()

    assert ports_of(connection_info) <= before
    assert ports_of(connection_info).isdisjoint(after)


@pytest.mark.anyio
async def test_nobody_waits_any_more_for_a_kernel_that_has_ended() -> None:
    argv = [sys.executable, "-c", "input()"]
    connection_info, manager = await SubprocessKernelLauncher(argv).launch()
    with anyio.fail_after(30):
        await tell_of_the_first_answer(connection_info, manager)
    has_ended = not await manager.is_alive()
    await manager.cleanup()

    assert has_ended


def test_the_ports_are_let_go_where_the_program_has_a_client_of_its_own(
    make_spec: MakeSpec,
) -> None:
    stanza = {"provisioner_name": "kernel-mgmt"}
    make_spec("fake", argv=fake_kernel_argv(), metadata={"kernel_provisioner": stanza})
    manager = KernelManager(kernel_name="fake")
    manager.start_kernel()
    provisioner = manager.provisioner
    assert isinstance(provisioner, KernelProvisioner)
    assert provisioner.first_answer is not None
    provisioner.first_answer.result(30)
    held = held_ports()
    manager.shutdown_kernel(now=True)

    assert held.isdisjoint(manager.ports)
