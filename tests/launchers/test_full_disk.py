"""No room in the runtime directory: what could not be written is named, and nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from kernel_mgmt.testing import fake_kernel_argv
from tests.launchers.disk_filler import NAME
from tests.launchers.owner import Owner

pytestmark = pytest.mark.anyio

if sys.platform != "linux":
    pytest.skip("elsewhere: only Linux has namespaces", allow_module_level=True)

FAKE = fake_kernel_argv("--handshake", "dealer")
IPYKERNEL = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
# In a mount namespace of its own, it mounts a small file system, and outlives what it then runs.
MOUNT = """
mount -t tmpfs -o size=256k,nr_inodes=100,mode=700 tmpfs "$0" || exit
"$@"
read -r _ || true
"""
NAMESPACE = ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",))]


class Room(NamedTuple):
    """A runtime directory of 256 kB, seen by the processes of one namespace."""

    owner: Owner
    directory: Path

    def files(self) -> list[str]:
        """The files there, for those outside of the namespace."""
        return os.listdir(f"/proc/{self.owner.popen.pid}/root{self.directory}")


@pytest.fixture
def room(anyio_backend: str, runtime_dir: Path) -> Iterator[Room]:
    """A small runtime directory, with a program that launches kernels there."""
    runtime_dir.mkdir()
    wrapper = [*NAMESPACE, "sh", "-c", MOUNT, str(runtime_dir)]
    try:
        subprocess.run([*wrapper, "true"], check=True, stdin=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"elsewhere: nothing can be mounted ({error})")
    owner = Owner(anyio_backend, runtime_dir, wrapper)
    yield Room(owner, runtime_dir)
    owner.close()


LAUNCH = """
import disk_filler
from kernel_mgmt import KernelLaunchError
import kernel_mgmt_subprocess
getattr(disk_filler, {leave!r})(RUNTIME_DIR, {number!r})
launcher = getattr(kernel_mgmt_subprocess, {launcher!r})({argv!r}, runtime_dir={directory!r})
try:
    end(anyio.run(launcher.launch, backend=BACKEND)[1])
    message = None
except KernelLaunchError as error:
    message = error.reason
answer = [message, disk_filler.files_besides(RUNTIME_DIR), guardian()]
"""


@pytest.mark.parametrize(
    ("launcher", "leave", "lacking"),
    [
        ("SubprocessKernelLauncher", "leave_files", ["connection", "log", "record"]),
        ("SubprocessKernelLauncher", "leave_blocks", ["connection", "record"]),
        ("SubprocessIPCKernelLauncher", "leave_files", ["sockets", "connection", "log", "record"]),
        ("SubprocessIPCKernelLauncher", "leave_blocks", ["connection", "record"]),
        (
            "SubprocessHandshakeKernelLauncher",
            "leave_files",
            ["connection", "log", "record", "connection"],
        ),
        (
            "SubprocessHandshakeKernelLauncher",
            "leave_blocks",
            ["connection", "record", "connection"],
        ),
    ],
)
async def test_a_launch_names_what_there_is_no_room_for_and_leaves_nothing(
    room: Room, launcher: str, leave: str, lacking: list[str]
) -> None:
    messages: list[str] = []
    left: list[Any] = []
    message: str | None = ""
    while message is not None:
        message, *left_by_launch = room.owner.do(
            LAUNCH.format(
                leave=leave,
                number=len(messages),
                launcher=launcher,
                argv=FAKE,
                directory=str(room.directory),
            )
        )
        messages.append(message or "")
        left += left_by_launch
    refused = messages[:-1]

    assert [named_in(each) for each in refused] == lacking
    assert all("No space left on device: " in each for each in refused)
    assert all(f"{room.directory}/" in each for each in refused)
    assert all("make room there" in each for each in refused)
    assert left == [[], None] * len(messages)


async def test_a_runtime_directory_that_there_is_no_room_for_is_named(room: Room) -> None:
    message, *left = room.owner.do(
        LAUNCH.format(
            leave="leave_files",
            number=0,
            launcher="SubprocessKernelLauncher",
            argv=FAKE,
            directory=str(room.directory / "more"),
        )
    )

    assert "runtime directory cannot be made ([Errno 28] No space left" in message
    assert f"'{room.directory}/more'" in message
    assert left == [[], None]


def named_in(message: str) -> str:
    """Which of the things that a launch writes a message names first."""
    names = ("sockets", "connection", "log", "record")
    return min(names, key=lambda name: message.find(name) % len(message))


async def test_a_kernel_that_has_no_room_for_its_sockets_says_so(room: Room) -> None:
    status, files = room.owner.do(
        f"""
import disk_filler
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher
disk_filler.leave_files(RUNTIME_DIR, 4)
launcher = SubprocessIPCKernelLauncher({FAKE!r}, runtime_dir=RUNTIME_DIR)
manager = anyio.run(launcher.launch, backend=BACKEND)[1]
anyio.run(manager.wait, backend=BACKEND)
anyio.run(manager.cleanup, backend=BACKEND)
answer = [str(manager.exit_status.tail), disk_filler.files_besides(RUNTIME_DIR)]
"""
    )

    assert "No space left on device" in status
    assert files == []


FILL = "import disk_filler; disk_filler.leave_nothing(RUNTIME_DIR)"


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("argv", [FAKE, IPYKERNEL], ids=["fake", "ipykernel"])
async def test_a_kernel_that_runs_when_the_room_is_used_up_goes_on_and_ends(
    room: Room, argv: list[str], transport: str
) -> None:
    room.owner.launch(argv, transport=transport)
    stage, status, files, guardian = room.owner.do(
        f"""
{FILL}
async def use():
    async with KernelClient(managers[0].connection_info, managers[0]) as client:
        await client.wait_for_ready(30)
        reply = await client.execute("")
        return [await client.shutdown_or_terminate(), reply.content["status"]]
answer = [*anyio.run(use, backend=BACKEND), disk_filler.files_besides(RUNTIME_DIR), guardian()]
"""
    )

    assert (stage, status) == ("shutdown", "ok")
    assert (files, guardian) == ([], None)


@pytest.mark.parametrize("argv", [FAKE, IPYKERNEL], ids=["fake", "ipykernel"])
async def test_a_kernel_whose_owner_is_killed_when_the_room_is_used_up_leaves_nothing(
    room: Room, argv: list[str]
) -> None:
    room.owner.launch(argv, transport="ipc")
    pid = room.owner.do(f"{FILL}\nimport os\nanswer = os.getpid()")
    before = room.files()
    os.kill(pid, signal.SIGKILL)
    with anyio.fail_after(20):
        while room.files() != [NAME]:
            await anyio.sleep(0.005)

    assert len(before) > 3
