"""The children of a kernel, by means that every system has."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import anyio
import pytest

from kernel_mgmt_subprocess import SubprocessKernelLauncher

pytestmark = pytest.mark.anyio

# Each process connects, tells who it is, and stays; when it ends, the connection is closed.
STAY = """
import socket, sys, time
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(sys.argv[2].encode())
time.sleep(60)
"""
HAVE_A_CHILD = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-S", "-c", {STAY!r}, sys.argv[1], "child"])
sys.argv[2:] = ["kernel"]
{STAY}
"""


async def test_the_children_of_a_kernel_end_with_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        argv = [sys.executable, "-S", "-c", HAVE_A_CHILD, port]
        _, manager = await SubprocessKernelLauncher(argv, runtime_dir=tmp_path).launch()
        server.settimeout(20)
        connections = [server.accept()[0] for _ in range(2)]
        told = {connection.recv(100) for connection in connections}
        with anyio.fail_after(20):
            await manager.kill()
        await manager.cleanup()
        for connection in connections:
            connection.settimeout(20)
        ended = [_has_ended(connection) for connection in connections]

    assert told == {b"kernel", b"child"}
    assert ended == [True, True]


def _has_ended(connection: socket.socket) -> bool:
    with connection:
        try:
            return connection.recv(1) == b""
        except ConnectionResetError:
            return True
