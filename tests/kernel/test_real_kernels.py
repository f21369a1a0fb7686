"""Kernels that people use, over several lives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from kernel_mgmt import (
    Kernel,
    KernelDiedError,
    KernelFinder,
    KernelRestarter,
    LaunchOptions,
    Request,
    start_kernel_async,
)
from kernel_mgmt.records import find_records
from kernel_mgmt_pyimport import IPykernelProvider
from kernel_mgmt_spec import KernelSpecProvider

pytestmark = pytest.mark.anyio

ARGV = {
    "ipykernel": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "xpython-raw": ["python3", "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"],
    "bash": ["python3", "-m", "bash_kernel", "-f", "{connection_file}"],
}
CODE = {
    "ipykernel": ("x = 42", "print(x)"),
    "xpython-raw": ("x = 42", "print(x)"),
    "bash": ("x=42", "echo $x"),
}


@pytest.fixture
def finder(tmp_path: Path) -> KernelFinder:
    for name, argv in ARGV.items():
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    provider = KernelSpecProvider(search_path=[str(tmp_path / "kernels")])
    return KernelFinder([provider, IPykernelProvider()])


async def text_of(kernel: Kernel, code: str) -> str:
    outputs = await kernel.client.execute(code).outputs()
    return "".join(output.get("text", "") for output in outputs).strip()


async def output_of(request: Request) -> None:
    """Wait until there is some."""
    async for message in request:
        if message.msg_type == "stream":
            return


@pytest.mark.parametrize(
    ("name", "transport"),
    [("ipykernel", "tcp"), ("ipykernel", "ipc"), ("xpython-raw", "tcp"), ("bash", "ipc")],
)
async def test_a_restart_empties_the_kernel_and_leaves_it_where_it_was(
    name: str, transport: Literal["tcp", "ipc"], finder: KernelFinder, tmp_path: Path
) -> None:
    assign, show = CODE[name]
    # What bash reads at its start is not to be that of whoever runs the tests.
    env = {"HOME": str(tmp_path)} if name == "bash" else {}
    options = LaunchOptions(transport=transport, env=env)
    with anyio.fail_after(90):
        async with Kernel(f"spec/{name}", finder=finder, options=options) as kernel:
            before = kernel.connection_info
            await kernel.client.execute(assign)
            shown = await text_of(kernel, show)
            restarted = await kernel.restart()
            shown_after = await text_of(kernel, show)
            after = kernel.connection_info

    assert shown == "42"
    assert shown_after != "42"
    assert not restarted["new_ports"]
    assert before == after


async def test_code_that_runs_is_interrupted_and_then_goes_down_with_the_kernel(
    finder: KernelFinder,
) -> None:
    with anyio.fail_after(90):
        async with Kernel("spec/ipykernel", finder=finder) as kernel:
            sleeping = kernel.client.execute("print('on'); import time; time.sleep(600)")
            await output_of(sleeping)
            state = kernel.state
            await kernel.interrupt()
            reply = await sleeping
            sleeping = kernel.client.execute("print('on'); time.sleep(600)")
            await output_of(sleeping)
            await kernel.restart()
            with pytest.raises(KernelDiedError):
                await sleeping
            reply_after = await kernel.client.execute("1")

    assert state == "busy"
    assert reply.content["ename"] == "KeyboardInterrupt"
    assert reply_after.content["status"] == "ok"


async def test_an_idle_ipykernel_ends_by_the_request(finder: KernelFinder) -> None:
    with anyio.fail_after(60):
        kernel = Kernel("pyimport/kernel", finder=finder, shutdown_timeout=30)
        await kernel.start()
        outcome = await kernel.shutdown()

    assert outcome.stage == "shutdown"
    assert outcome.exit_status is not None
    assert outcome.exit_status.code == 0


async def test_an_ipykernel_that_is_killed_is_started_again(finder: KernelFinder) -> None:
    with anyio.fail_after(90):
        async with Kernel("pyimport/kernel", finder=finder, autorestart=True) as kernel:
            events = kernel.events()
            await kernel.client.execute("x = 42")
            request = kernel.client.execute("import os; os.kill(os.getpid(), 9)")
            names = [(await anext(events))["event"], (await anext(events))["event"]]
            with pytest.raises(KernelDiedError):
                await request
            reply = await kernel.client.execute("x")

    assert names == ["died", "restarted"]
    assert reply.content["ename"] == "NameError"


async def test_an_ipykernel_whose_user_quits_is_not_started_again(finder: KernelFinder) -> None:
    with anyio.fail_after(60):
        kernel = Kernel("pyimport/kernel", finder=finder, autorestart=True)
        await kernel.start()
        kernel.client.execute("quit()")
        await kernel.wait_for("dead")
        await kernel.shutdown()

    assert kernel.reason == "it died (exit code 0)"


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_a_restarter_keeps_an_ipykernel_alive(
    transport: Literal["tcp", "ipc"], finder: KernelFinder
) -> None:
    name, options = "pyimport/kernel", LaunchOptions(transport=transport)
    with anyio.fail_after(90):
        manager, client = await start_kernel_async(name, finder=finder, options=options)
        async with client, KernelRestarter(manager, name, finder, options=options) as restarter:
            events = restarter.events()
            os.kill(manager.pid, signal.SIGKILL)  # type: ignore[attr-defined]
            await anext(events)
            restarted = await anext(events)
            assert restarted["event"] == "restarted"
            client.reconnect(restarted["connection_info"], restarted["manager"])
            await client.wait_for_ready()
            reply = await client.execute("6 * 7")
            restarter.stop()
            await client.shutdown_or_terminate()

    assert reply.content["status"] == "ok"
    assert restarted["manager"].kernel_id == manager.kernel_id


async def test_a_kernel_of_a_program_that_is_gone_is_taken_over_and_watched(
    finder: KernelFinder,
) -> None:
    code = """
import anyio
from kernel_mgmt import LaunchOptions, start_kernel_async

async def start():
    options = LaunchOptions(persist=True)
    manager, client = await start_kernel_async("pyimport/kernel", options=options)
    await client.execute("x = 42")
    client.close()

anyio.run(start)
"""
    with anyio.fail_after(90):
        await anyio.run_process([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        record = find_records().records[0]
        options = LaunchOptions(kernel_id=record.kernel_id)
        kernel = Kernel("pyimport/kernel", finder=finder, options=options, autorestart=True)
        manager: Any = await finder.reattach(record)
        await kernel.adopt(manager)
        shown = await text_of(kernel, "print(x)")
        events = kernel.events()
        os.kill(manager.pid, signal.SIGKILL)
        names = [(await anext(events))["event"], (await anext(events))["event"]]
        reply = await kernel.client.execute("x")
        await kernel.shutdown()

    assert shown == "42"
    assert names == ["died", "restarted"]
    assert reply.content["ename"] == "NameError"
