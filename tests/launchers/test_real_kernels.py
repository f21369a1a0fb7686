"""Real kernels, launched over each transport and ended in each way."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest
import zmq

from kernel_mgmt.types import ConnectionInfo, ExitStatus
from kernel_mgmt_subprocess import (
    KernelManager,
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
)
from kernel_mgmt_subprocess._carriers import find_carriers

pytestmark = pytest.mark.anyio

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
XPYTHON = ["python", "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"]
BASH = ["python", "-m", "bash_kernel", "-f", "{connection_file}"]


async def beats(connection_info: ConnectionInfo) -> None:
    """Return when the kernel has answered on the heartbeat channel."""
    between = ":" if connection_info["transport"] == "tcp" else "-"
    address = "{ip}{between}{hb_port}".format(between=between, **connection_info)
    with zmq.Context() as context, context.socket(zmq.REQ) as heartbeat, anyio.fail_after(30):
        heartbeat.linger = 0
        heartbeat.reconnect_ivl = 4
        heartbeat.connect(f"{connection_info['transport']}://{address}")
        heartbeat.send(b"ping")
        while not heartbeat.poll(0):
            await anyio.sleep(0.005)


async def test_the_exit_of_a_kernel_is_seen_and_nothing_of_it_stays(
    launcher_class: Launcher, runtime_dir: Path, tmp_path: Path, kernel_cmd: list[str]
) -> None:
    launcher = launcher_class(kernel_cmd, cwd=tmp_path, runtime_dir=runtime_dir)
    if kernel_cmd is XPYTHON and isinstance(launcher, SubprocessIPCKernelLauncher):
        launcher.socket_path_limit = 25
    connection_info, manager = await launcher.launch()
    await beats(connection_info)
    await manager.kernel_ready()
    alive = await manager.is_alive()
    os.kill(manager.pid, signal.SIGKILL)
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()

    assert alive
    assert manager.exit_status is not None
    assert manager.exit_status.signal == signal.SIGKILL
    await gone(manager.kernel_id)


async def test_a_kernel_can_be_killed_before_it_is_up(
    launcher_class: Launcher, runtime_dir: Path, kernel_cmd: list[str]
) -> None:
    _, manager = await launcher_class(kernel_cmd, runtime_dir=runtime_dir).launch()
    await manager.kill()
    await manager.cleanup()

    assert manager.exit_status == ExitStatus(signal=signal.SIGKILL)


async def test_the_shell_of_a_bash_kernel_ends_with_it(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    connection_info, manager = await launcher_class(BASH, runtime_dir=runtime_dir).launch()
    await beats(connection_info)
    with anyio.fail_after(20):
        while not _outside_the_group(manager):
            await anyio.sleep(0.001)
    await manager.kill()
    await manager.cleanup()

    await gone(manager.kernel_id)


async def test_a_kernel_whose_port_was_taken_says_so(runtime_dir: Path) -> None:
    class PortsOf(SubprocessKernelLauncher):
        ports: dict[str, int]

        def make_ports(self) -> dict[str, int]:
            return self.ports

    connection_info, first = await SubprocessKernelLauncher(
        IPYKERNEL, runtime_dir=runtime_dir
    ).launch()
    await beats(connection_info)
    launcher = PortsOf(IPYKERNEL, runtime_dir=runtime_dir)
    launcher.ports = {name: port for name, port in connection_info.items() if isinstance(port, int)}
    _, second = await launcher.launch()
    with anyio.fail_after(30):
        await second.wait()
    await first.kill()
    await first.cleanup()
    await second.cleanup()

    assert second.port_conflict
    assert not first.port_conflict


async def test_a_stopped_kernel_can_be_killed(runtime_dir: Path) -> None:
    _, manager = await SubprocessKernelLauncher(IPYKERNEL, runtime_dir=runtime_dir).launch()
    await manager.signal(signal.SIGSTOP)
    with anyio.fail_after(20):
        await manager.kill()
    await manager.cleanup()

    assert manager.exit_status == ExitStatus(signal=signal.SIGKILL)


@pytest.fixture(params=[IPYKERNEL, XPYTHON, BASH], ids=["ipykernel", "xpython-raw", "bash"])
def kernel_cmd(request: pytest.FixtureRequest) -> list[str]:
    """The command of each kernel."""
    command: list[str] = request.param
    return command


async def gone(kernel_id: str) -> None:
    """Return when no process carries the id of the kernel."""
    with anyio.fail_after(20):
        while list(find_carriers(kernel_id)):
            await anyio.sleep(0.001)


def _outside_the_group(manager: KernelManager) -> list[int]:
    return [pid for pid in find_carriers(manager.kernel_id) if _group_of(pid) != manager.pid]


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
