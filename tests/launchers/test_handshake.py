"""Kernels that choose their ports, and register them with the launcher (JEP 66)."""

from __future__ import annotations

import json
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest
import zmq

from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.records import record_path
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt.types import ConnectionInfo, LaunchOptions
from kernel_mgmt_subprocess import (
    KernelManager,
    SubprocessHandshakeKernelLauncher,
    make_launcher,
)
from kernel_mgmt_subprocess._connection_file import ports_of
from kernel_mgmt_subprocess._registration import RegistrationSocket

pytestmark = pytest.mark.anyio

Launch: TypeAlias = Callable[..., Awaitable[tuple[ConnectionInfo, KernelManager]]]

REGISTERS = fake_kernel_argv("--handshake", "dealer")
HANGS = fake_kernel_argv("--handshake", "hang")
# Registers what it is given as arguments, one after the other, until it is acknowledged.
REGISTER = """
import hmac, json, sys, zmq
info = json.load(open(sys.argv[1]))
socket = zmq.Context().socket(zmq.DEALER)
socket.connect("tcp://{ip}:{registration_port}".format(**info))
for argument in sys.argv[2:]:
    key, _, content = argument.partition(":")
    header = json.dumps({"msg_id": key, "msg_type": "handshake_request", "session": "s"})
    parts = [part.encode() for part in (header, "{}", "{}", content)]
    signer = hmac.new((key or info["key"]).encode(), b"".join(parts), "sha256")
    socket.send_multipart([b"<IDS|MSG>", signer.hexdigest().encode(), *parts])
socket.recv_multipart()
import time; time.sleep(60)
"""


@pytest.fixture
async def launch(runtime_dir: Path) -> AsyncIterator[Launch]:
    """A function that launches a kernel which says that it knows the handshake."""
    async with AsyncExitStack() as stack:

        async def launch(
            argv: list[str], timeout: float = 30, **options: Any
        ) -> tuple[ConnectionInfo, KernelManager]:
            launcher = SubprocessHandshakeKernelLauncher(
                argv, options=LaunchOptions(**options), runtime_dir=runtime_dir
            )
            launcher.handshake_timeout = timeout
            with anyio.fail_after(60):
                connection_info, manager = await launcher.launch()
            stack.push_async_callback(manager.cleanup)
            stack.push_async_callback(manager.kill)
            return connection_info, manager

        yield launch


def registering(*arguments: str) -> list[str]:
    """The command of a kernel that registers this."""
    return [sys.executable, "-c", REGISTER, "{connection_file}", *arguments]


def ports(**changed: Any) -> str:
    """Ports to register."""
    names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    return json.dumps({name: number for number, name in enumerate(names, 1)} | changed)


@pytest.mark.parametrize("kind", ["dealer", "req"])
async def test_a_kernel_that_has_registered_can_be_talked_to(launch: Launch, kind: str) -> None:
    connection_info, manager = await launch(fake_kernel_argv("--handshake", kind))
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)
        reply = await client.execute("pid")

    assert reply.content["status"] == "ok"
    assert len(set(ports_of(connection_info))) == 5


async def test_the_connection_file_takes_the_place_of_the_registration_file(
    launch: Launch, runtime_dir: Path, kernel_id: str
) -> None:
    connection_info, manager = await launch(REGISTERS, kernel_id=kernel_id)
    path = runtime_dir / f"kernel-{kernel_id}.json"
    files = sorted(os.listdir(runtime_dir))

    assert json.loads(path.read_text()) == connection_info == manager.connection_info
    assert "registration_port" not in connection_info
    assert 0 not in ports_of(connection_info)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hidden = [f".kernel-{kernel_id}.log", f".kernel-{kernel_id}.record.json"]
    assert files == [*hidden, path.name]


@pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq has no CURVE")
async def test_a_kernel_that_registers_can_encrypt(launch: Launch) -> None:
    connection_info, manager = await launch(REGISTERS, encryption="required")
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)

    assert "curve_secretkey" in connection_info


async def test_a_kernel_that_ends_instead_is_launched_the_classic_way(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    connection_info, manager = await launch(fake_kernel_argv("--handshake", "exit"))
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)

    assert "has not registered" in caplog.text


async def test_a_kernel_that_does_not_register_in_time_is_launched_the_classic_way(
    launch: Launch, kernel_id: str
) -> None:
    connection_info, manager = await launch(HANGS, timeout=0.2, kernel_id=kernel_id)
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)

    assert manager.kernel_id == kernel_id


@pytest.mark.parametrize(
    "wrong",
    [
        f"other key:{ports()}",
        f":{ports(hb_port=0)}",
        f":{ports(hb_port=65_536)}",
        f":{ports(hb_port='5')}",
        f":{ports(hb_port=True)}",
        ':{"shell_port": 1}',
        ":[]",
        ":no JSON",
    ],
)
async def test_what_is_no_registration_is_not_taken_for_one(launch: Launch, wrong: str) -> None:
    connection_info, _ = await launch(registering(wrong, f":{ports(shell_port=77)}"))

    assert ports_of(connection_info) == [77, 2, 3, 4, 5]


async def test_what_is_no_message_is_not_taken_for_a_registration() -> None:
    with (
        RegistrationSocket("127.0.0.1") as registration,
        zmq.Context() as context,
        context.socket(zmq.DEALER) as stranger,
    ):
        stranger.connect(f"tcp://127.0.0.1:{registration.port}")
        stranger.send_multipart([b"hello"])
        with pytest.raises(TimeoutError), anyio.fail_after(0.3):
            await registration.receive("key")


async def test_a_launch_that_is_cancelled_during_the_handshake_leaves_nothing(
    runtime_dir: Path,
) -> None:
    launcher = SubprocessHandshakeKernelLauncher(HANGS, runtime_dir=runtime_dir)
    with anyio.move_on_after(0.2) as scope:
        await launcher.launch()

    assert scope.cancelled_caught


async def test_a_launch_that_fails_after_the_handshake_leaves_nothing(
    runtime_dir: Path, kernel_id: str
) -> None:
    options = LaunchOptions(kernel_id=kernel_id)
    launcher = SubprocessHandshakeKernelLauncher(
        registering(f":{ports()}"), options=options, runtime_dir=runtime_dir
    )
    in_the_way = runtime_dir / f"kernel-{kernel_id}.json.new"
    runtime_dir.mkdir()
    in_the_way.touch()
    with pytest.raises(KernelLaunchError, match="connection file cannot be written"):
        await launcher.launch()
    in_the_way.unlink()


async def test_a_handshake_on_no_address_of_this_machine_is_told(runtime_dir: Path) -> None:
    launcher = SubprocessHandshakeKernelLauncher(REGISTERS, ip="192.0.2.1", runtime_dir=runtime_dir)

    with pytest.raises(KernelLaunchError, match="No socket can be had for the registration"):
        await launcher.launch()


async def test_an_option_that_cannot_be_had_is_told_before_anything_is_opened(
    runtime_dir: Path,
) -> None:
    options = LaunchOptions(transport="ipc")
    launcher = SubprocessHandshakeKernelLauncher(
        REGISTERS, options=options, runtime_dir=runtime_dir
    )

    with pytest.raises(LaunchOptionError, match="speaks tcp"):
        await launcher.launch()


async def test_a_kernel_that_cannot_be_started_is_told(runtime_dir: Path) -> None:
    launcher = SubprocessHandshakeKernelLauncher(["no-such-program"], runtime_dir=runtime_dir)

    with pytest.raises(KernelLaunchError, match="no program 'no-such-program'"):
        await launcher.launch()


@pytest.mark.parametrize(
    ("version", "registers"),
    [
        ("5.6", True),
        ("5.10", True),
        ("6.0.1", True),
        ("5.5", False),
        ("4.9", False),
        ("", False),
        ("new", False),
    ],
)
def test_the_protocol_version_of_the_kernelspec_tells_who_can_register(
    version: str, registers: bool
) -> None:
    launcher = make_launcher({"argv": ["a"], "kernel_protocol_version": version}, kernel_name="a")

    assert isinstance(launcher, SubprocessHandshakeKernelLauncher) is registers


@pytest.mark.parametrize(
    ("options", "metadata"),
    [
        (LaunchOptions(connection_info={"transport": "tcp"}), {}),
        (None, {"kernel_mgmt": {"handshake": "disabled"}}),
        (None, {"kernel_mgmt": {"transport": "ipc"}}),
    ],
)
def test_a_kernel_does_not_register_where_its_addresses_are_given(
    options: LaunchOptions | None, metadata: dict[str, Any]
) -> None:
    launcher = make_launcher(
        {"argv": ["a"], "kernel_protocol_version": "5.6", "metadata": metadata},
        kernel_name="a",
        options=options,
    )

    assert not isinstance(launcher, SubprocessHandshakeKernelLauncher)


async def test_a_launcher_that_waits_for_a_registration_refuses_to_launch_another(
    runtime_dir: Path,
) -> None:
    launcher = SubprocessHandshakeKernelLauncher(HANGS, runtime_dir=runtime_dir)
    record = Path(record_path(launcher.kernel_id, runtime_dir))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(launcher.launch)
        with anyio.fail_after(30):
            while not record.exists():
                await anyio.sleep(0.001)
            with pytest.raises(KernelLaunchError, match="one launcher for each kernel"):
                await launcher.launch()
        tasks.cancel_scope.cancel()

    assert os.listdir(runtime_dir) == []
