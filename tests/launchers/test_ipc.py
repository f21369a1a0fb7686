"""The launcher for IPC: sockets in a private directory, wherever the kernel runs."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

import anyio
import pytest

from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher
from kernel_mgmt_subprocess._connection_file import ports_of
from kernel_mgmt_subprocess._ipc import MAXIMUM_SOCKET_PATH

pytestmark = pytest.mark.anyio

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
BIND = [
    sys.executable,
    "-S",
    "-c",
    """
import json, os, socket, sys
info = json.load(open(sys.argv[1]))
for name in ("shell", "iopub", "stdin", "control", "hb"):
    socket.socket(socket.AF_UNIX).bind(f"{info['ip']}-{info[name + '_port']}")
""",
    "{connection_file}",
]


async def test_the_sockets_are_in_a_private_directory_of_the_runtime_directory(
    runtime_dir: Path,
) -> None:
    launcher = SubprocessIPCKernelLauncher(SLEEP, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    prefix = connection_info.get("ip", "")
    mode = stat.filemode(os.stat(os.path.dirname(prefix)).st_mode)
    await manager.kill()
    await manager.cleanup()

    assert os.path.isabs(prefix)
    assert os.path.dirname(os.path.dirname(prefix)) == str(runtime_dir)
    assert mode == "drwx------"


async def test_each_channel_has_a_socket_and_cleanup_removes_them(
    runtime_dir: Path, tmp_path: Path
) -> None:
    launcher = SubprocessIPCKernelLauncher(BIND, cwd=tmp_path, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    directory = os.path.dirname(connection_info.get("ip", ""))
    with anyio.fail_after(20):
        await manager.wait()
    sockets = set(os.listdir(directory))
    await manager.cleanup()

    assert sockets == {f"k-{port}" for port in ports_of(connection_info)}
    assert len(sockets) == 5
    assert not os.path.exists(directory)
    assert os.listdir(tmp_path) == ["runtime"]


async def test_each_launch_has_ports_of_its_own(runtime_dir: Path) -> None:
    seen: list[int] = []
    for _ in range(3):
        launcher = SubprocessIPCKernelLauncher(SLEEP, runtime_dir=runtime_dir)
        connection_info, manager = await launcher.launch()
        seen += ports_of(connection_info)
        await manager.kill()
        await manager.cleanup()

    assert len(set(seen)) == 15
    assert all(0 < port < 65_536 for port in seen)


async def test_a_runtime_directory_may_be_relative(
    runtime_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    launcher = SubprocessIPCKernelLauncher(BIND, cwd="/", runtime_dir="runtime")
    connection_info, manager = await launcher.launch()
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()

    assert connection_info.get("ip", "").startswith(f"{runtime_dir}/")
    assert manager.exit_status is not None
    assert manager.exit_status.code == 0, manager.exit_status.tail


async def test_a_path_that_is_too_long_for_a_socket_is_replaced_by_a_short_one(
    tmp_path: Path,
) -> None:
    long_runtime_dir = tmp_path / ("é" * 50)
    launcher = SubprocessIPCKernelLauncher(BIND, runtime_dir=long_runtime_dir)
    connection_info, manager = await launcher.launch()
    prefix = connection_info.get("ip", "")
    mode = stat.filemode(os.stat(os.path.dirname(prefix)).st_mode)
    with anyio.fail_after(20):
        await manager.wait()
    await manager.cleanup()

    assert not prefix.startswith(str(long_runtime_dir))
    assert mode == "drwx------"
    assert manager.exit_status is not None
    assert manager.exit_status.code == 0, manager.exit_status.tail
    assert not os.path.exists(os.path.dirname(prefix))
    assert os.listdir(long_runtime_dir) == []


async def test_the_longest_path_is_one_that_the_system_takes(tmp_path: Path) -> None:
    longest = tmp_path / "s"
    longest = longest.with_name("s" * (1 + MAXIMUM_SOCKET_PATH - len(os.fsencode(longest))))
    with socket.socket(socket.AF_UNIX) as fits, socket.socket(socket.AF_UNIX) as does_not:
        fits.bind(str(longest))

        with pytest.raises(OSError, match="too long"):
            does_not.bind(f"{longest}s")


async def test_no_directory_may_be_short_enough(runtime_dir: Path) -> None:
    launcher = SubprocessIPCKernelLauncher(SLEEP, runtime_dir=runtime_dir)
    launcher.socket_path_limit = 10
    with pytest.raises(KernelLaunchError, match="short enough"):
        await launcher.launch()

    assert os.listdir(runtime_dir) == []


async def test_an_address_cannot_be_asked_for(runtime_dir: Path) -> None:
    launcher = SubprocessIPCKernelLauncher(SLEEP, ip="127.0.0.1", runtime_dir=runtime_dir)
    with pytest.raises(LaunchOptionError, match="ip"):
        await launcher.launch()
