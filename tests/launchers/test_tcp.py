"""The launcher for TCP: ports that nobody else is given."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import anyio
import pytest

from kernel_mgmt.exceptions import KernelLaunchError
from kernel_mgmt.types import ConnectionInfo
from kernel_mgmt_subprocess import KernelManager, SubprocessKernelLauncher
from kernel_mgmt_subprocess._connection_file import PORT_NAMES

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux can hold ports"),
]

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
BIND = """
import json, socket, sys
info = json.load(open(sys.argv[1]))
listening = []
for name in ("shell", "iopub", "stdin", "control", "hb"):
    each = socket.socket()
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(sys.argv[2]))
    each.bind((info["ip"], info[name + "_port"]))
    each.listen()
    listening.append(each)
"""


def ports_of(connection_info: ConnectionInfo) -> list[int]:
    """Return the five ports."""
    return [dict(connection_info)[name] for name in PORT_NAMES]  # type: ignore[misc]


def is_taken(port: int) -> bool:
    """Whether somebody who binds plainly is refused the port."""
    with socket.socket() as somebody:
        try:
            somebody.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


async def end(manager: KernelManager) -> None:
    """Kill the kernel and clean up."""
    await manager.kill()
    await manager.cleanup()


async def test_the_ports_are_five_on_this_machine_alone(runtime_dir: Path) -> None:
    connection_info, manager = await SubprocessKernelLauncher(
        SLEEP, runtime_dir=runtime_dir
    ).launch()
    await end(manager)

    assert connection_info.get("ip") == "127.0.0.1"
    assert len(set(ports_of(connection_info))) == 5


async def test_ports_are_held_until_the_kernel_is_ready(runtime_dir: Path) -> None:
    launcher = SubprocessKernelLauncher(SLEEP, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    before = [is_taken(port) for port in ports_of(connection_info)]
    await manager.kernel_ready()
    after = [is_taken(port) for port in ports_of(connection_info)]
    await end(manager)

    assert before == [True] * 5
    assert after == [False] * 5


async def test_ports_are_held_until_the_kernel_has_ended(runtime_dir: Path) -> None:
    launcher = SubprocessKernelLauncher(SLEEP, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    await manager.kill()
    after = [is_taken(port) for port in ports_of(connection_info)]
    await manager.cleanup()

    assert after == [False] * 5


async def test_ports_are_held_until_cleanup(runtime_dir: Path) -> None:
    launcher = SubprocessKernelLauncher(SLEEP, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    await manager.cleanup()
    after = [is_taken(port) for port in ports_of(connection_info)]
    await manager.kill()

    assert after == [False] * 5


async def test_no_two_kernels_are_given_one_port(runtime_dir: Path) -> None:
    launched = [
        await SubprocessKernelLauncher(SLEEP, runtime_dir=runtime_dir).launch() for _ in range(20)
    ]
    ports = [port for connection_info, _ in launched for port in ports_of(connection_info)]
    for _, manager in launched:
        await end(manager)

    assert len(set(ports)) == 100


async def test_a_kernel_binds_the_ports_that_are_held_for_it(runtime_dir: Path) -> None:
    argv = [sys.executable, "-S", "-c", BIND, "{connection_file}", "1"]
    _, manager = await SubprocessKernelLauncher(argv, runtime_dir=runtime_dir).launch()
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()

    assert manager.exit_status is not None
    assert manager.exit_status.code == 0, manager.exit_status.tail
    assert not manager.port_conflict


async def test_a_kernel_that_finds_a_port_taken_can_be_told(runtime_dir: Path) -> None:
    argv = [sys.executable, "-S", "-c", BIND, "{connection_file}", "0"]
    _, manager = await SubprocessKernelLauncher(argv, runtime_dir=runtime_dir).launch()
    conflict_while_running = manager.port_conflict
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()

    assert not conflict_while_running
    assert manager.port_conflict


async def test_a_kernel_that_wants_its_ports_for_itself_can_have_them(runtime_dir: Path) -> None:
    argv = [sys.executable, "-S", "-c", BIND, "{connection_file}", "0"]
    launcher = SubprocessKernelLauncher(argv, runtime_dir=runtime_dir)
    launcher.holds_ports = False
    _, manager = await launcher.launch()
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()

    assert manager.exit_status is not None
    assert manager.exit_status.code == 0, manager.exit_status.tail


async def test_an_address_that_is_not_of_this_machine_is_refused(runtime_dir: Path) -> None:
    launcher = SubprocessKernelLauncher(SLEEP, ip="192.0.2.1", runtime_dir=runtime_dir)
    with pytest.raises(KernelLaunchError, match=r"No ports can be had on 192\.0\.2\.1"):
        await launcher.launch()


async def test_a_launch_that_fails_lets_the_ports_go(runtime_dir: Path) -> None:
    class Failing(SubprocessKernelLauncher):
        def make_ports(self) -> dict[str, int]:
            self.ports = super().make_ports()
            return self.ports

    launcher = Failing(["no-such-program"], runtime_dir=runtime_dir)
    with pytest.raises(KernelLaunchError):
        await launcher.launch()

    assert not any(is_taken(port) for port in launcher.ports.values())
