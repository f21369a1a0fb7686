"""A kernel that listens where one did that has ended."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest
import zmq

from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt.types import ConnectionInfo, LaunchOptions
from kernel_mgmt_subprocess import (
    KernelManager,
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
    make_launcher,
)
from kernel_mgmt_subprocess._connection_file import PORT_NAMES

pytestmark = pytest.mark.anyio

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]
Launch: TypeAlias = Callable[..., Awaitable[tuple[ConnectionInfo, KernelManager]]]

FAKE = fake_kernel_argv()
PLACE = {"transport": "ipc", "key": "a", **{name: n for n, name in enumerate(PORT_NAMES, 1)}}


@pytest.fixture
async def launch(launcher_class: Launcher, runtime_dir: Path) -> AsyncIterator[Launch]:
    """A function that launches a fake kernel."""
    async with AsyncExitStack() as stack:
        yield launching_in(stack, launcher_class, runtime_dir)


@pytest.fixture
async def launch_ipc(runtime_dir: Path) -> AsyncIterator[Launch]:
    """A function that launches a fake kernel which is reached through sockets in the file system."""
    async with AsyncExitStack() as stack:
        yield launching_in(stack, SubprocessIPCKernelLauncher, runtime_dir)


def launching_in(stack: AsyncExitStack, launcher_class: Launcher, runtime_dir: Path) -> Launch:
    """Return a function that launches a fake kernel, which the stack ends."""

    async def launch(**options: Any) -> tuple[ConnectionInfo, KernelManager]:
        connection_info, manager = await launcher_class(
            FAKE, options=LaunchOptions(**options), runtime_dir=runtime_dir
        ).launch()
        stack.push_async_callback(manager.cleanup)
        stack.push_async_callback(manager.kill)
        return connection_info, manager

    return launch


async def end(manager: KernelManager) -> None:
    """Kill the kernel and clean up after it."""
    await manager.kill()
    await manager.cleanup()


async def test_a_client_of_the_first_kernel_goes_on_with_the_second(
    launch: Launch, runtime_dir: Path, kernel_id: str
) -> None:
    before, first = await launch(kernel_id=kernel_id)
    async with KernelClient(before) as client:
        with anyio.fail_after(20):
            await client.wait_for_ready()
            await end(first)
            after, _ = await launch(kernel_id=kernel_id, connection_info=before, restart=True)
            reply = await client.execute("pid")
    written = json.loads((runtime_dir / f"kernel-{kernel_id}.json").read_text())

    assert reply.content["status"] == "ok"
    assert after == before == written
    assert after is not before


@pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq has no CURVE")
async def test_the_keys_of_the_encryption_are_used_again(launch: Launch) -> None:
    before, first = await launch(encryption="required")
    await end(first)
    after, second = await launch(connection_info=before)
    async with KernelClient(after, second) as client:
        await client.wait_for_ready(30)

    assert after == before


async def test_where_a_kernel_still_listens_no_other_is_launched(launch: Launch) -> None:
    connection_info, manager = await launch()
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)
        with pytest.raises(KernelLaunchError, match=r"No ports can be had|cannot be made again"):
            await launch(connection_info=connection_info)
        reply = await client.execute("pid")

    assert reply.content["status"] == "ok"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"transport": None}, "it has no transport"),
        ({"shell_port": "1"}, "shell_port is '1', and no port"),
        ({"hb_port": 70_000}, "hb_port is 70000, and no port"),
    ],
)
async def test_connection_info_of_no_sense_is_refused(
    change: dict[str, object], reason: str, runtime_dir: Path
) -> None:
    ports = dict.fromkeys(PORT_NAMES, 1)
    given: Any = {"transport": "tcp", "ip": "127.0.0.1", "key": "a", **ports, **change}
    options = LaunchOptions(connection_info=given)
    with pytest.raises(LaunchOptionError, match=reason):
        await SubprocessKernelLauncher(["x"], options=options, runtime_dir=runtime_dir).launch()


async def test_connection_info_that_does_not_fit_is_refused(launch: Launch) -> None:
    connection_info, manager = await launch()
    await end(manager)
    other = "ipc" if connection_info["transport"] == "tcp" else "tcp"
    keys = {"curve_publickey": "p", "curve_secretkey": "s"}

    for change, options, told in (
        ({"transport": other}, {}, f"it is for {other}"),
        ({"shell_port": 0, "key": ""}, {}, "it has no shell_port, key"),
        ({}, {"encryption": "required"}, "no keys for the encryption that is required"),
        (keys, {"encryption": "disabled"}, "keys for an encryption that is disabled"),
    ):
        with pytest.raises(LaunchOptionError, match=told):
            await launch(connection_info={**connection_info, **change}, **options)


async def test_sockets_have_the_place_that_somebody_else_has_for_them(
    launch_ipc: Launch, tmp_path: Path
) -> None:
    (tmp_path / "theirs").write_text("")
    place = {**PLACE, "ip": str(tmp_path / "k")}
    connection_info, manager = await launch_ipc(connection_info=place)
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)
    sockets = {path.name for path in tmp_path.glob("k-*")}
    await end(manager)

    assert sockets == {"k-1", "k-2", "k-3", "k-4", "k-5"}
    assert not list(tmp_path.glob("k-*"))
    assert (tmp_path / "theirs").exists()


async def test_sockets_take_the_place_of_nothing(launch_ipc: Launch, tmp_path: Path) -> None:
    (tmp_path / "k-3").write_text("theirs")
    with pytest.raises(KernelLaunchError, match="There is something at"):
        await launch_ipc(connection_info={**PLACE, "ip": str(tmp_path / "k")})

    assert (tmp_path / "k-3").read_text() == "theirs"


async def test_a_place_with_too_long_a_path_is_refused(launch_ipc: Launch, tmp_path: Path) -> None:
    with pytest.raises(LaunchOptionError, match="too long for a socket"):
        await launch_ipc(connection_info={**PLACE, "ip": str(tmp_path / ("k" * 100))})


async def test_a_port_that_was_lost_meanwhile_is_told(runtime_dir: Path) -> None:
    launcher = SubprocessKernelLauncher(FAKE, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    await end(manager)
    options = LaunchOptions(connection_info=connection_info)
    launcher = SubprocessKernelLauncher(FAKE, options=options, runtime_dir=runtime_dir)
    with (
        socket.create_server(("127.0.0.1", connection_info.get("hb_port", 0))),
        pytest.raises(KernelLaunchError, match="No ports can be had on 127"),
    ):
        await launcher.launch()

    assert os.listdir(runtime_dir) == []


def test_the_transport_is_that_of_the_connection_info_that_is_used_again() -> None:
    connection_info: ConnectionInfo = {"transport": "ipc", "ip": "/tmp/ipc-a/k"}
    options = LaunchOptions(connection_info=connection_info)

    launcher = make_launcher({"argv": FAKE}, kernel_name="a", options=options)

    assert launcher.transport == "ipc"


def test_options_do_not_show_keys() -> None:
    options = LaunchOptions(connection_info={"transport": "tcp", "key": "secret"})

    assert "secret" not in repr(options)
