"""The end of a kernel, and of a client: what is asked over control, and what is not waited for."""

from __future__ import annotations

import sys
from subprocess import run

import anyio
import pytest

from kernel_mgmt.types import ExitStatus
from kernel_mgmt_subprocess import KernelManager

from .conftest import StartFake

pytestmark = pytest.mark.anyio


async def test_a_busy_kernel_is_asked_to_end_and_not_interrupted(start_fake: StartFake) -> None:
    client = await start_fake("--shell-shutdown", "ignore", "--sigint", "die")
    assert isinstance(client.manager, KernelManager)

    with anyio.fail_after(20):
        request = client.execute("print begun\nsleep 60")
        async for message in request:
            if message.msg_type == "stream":
                break
        stage = await client.shutdown_or_terminate(20)

    assert stage == "shutdown"
    assert client.manager.exit_status == ExitStatus(code=0)


async def test_a_busy_kernel_is_interrupted_by_a_message(start_fake: StartFake) -> None:
    client = await start_fake("--sigint", "die")
    assert isinstance(client.manager, KernelManager)
    client.manager.interrupt_mode = "message"

    with anyio.fail_after(20):
        request = client.execute("print begun\nsleep 60")
        async for message in request:
            if message.msg_type == "stream":
                break
        reply = await client.interrupt()
        interrupted = await request

    assert reply is not None
    assert reply.channel == "control"
    assert interrupted.content["ename"] == "KeyboardInterrupt"


def test_a_program_that_asks_a_kernel_which_is_not_there_ends_at_once() -> None:
    script = """
import sys
from subprocess import run

import anyio
from kernel_mgmt import KernelClient
ports = {name + "_port": 1 for name in ("shell", "iopub", "stdin", "control", "hb")}
async def ask():
    client = KernelClient({"transport": "tcp", "ip": "127.0.0.1", "key": "k", **ports})
    client.kernel_info()
    client.close()
anyio.run(ask)
print("closed")
"""
    argv = [sys.executable, "-c", script]
    ended = run(argv, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.stdout, ended.stderr) == ("closed\n", "")
