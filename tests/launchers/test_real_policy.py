"""Real kernels, launched as is known of their kinds."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import pytest

from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import InterruptUnsupportedError
from kernel_mgmt.messages import Message
from kernel_mgmt.types import ConnectionInfo, LaunchOptions
from kernel_mgmt_subprocess import make_launcher

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither ipc nor SIGINT"),
]


class Kernel(NamedTuple):
    """A kernel, the transport that is chosen for it, and code that says something and takes long."""

    argv: list[str]
    transport: str
    sleep: str
    metadata: Any = {}  # noqa: RUF012 - never changed


IPYKERNEL = Kernel(
    ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "ipc",
    "import time; print('begun', flush=True); time.sleep(60)",
    {"supported_encryption": ["curve"]},
)
BASH = Kernel(
    ["python", "-m", "bash_kernel", "-f", "{connection_file}"],
    "ipc",
    # No `sleep 60`: bash loses what comes while it starts a command, and bash_kernel the next one.
    "echo begun; read -t 60",
)
R = Kernel(
    ["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"],
    "ipc",
    "cat('begun\\n'); Sys.sleep(60)",
)
XPYTHON = Kernel(
    ["python", "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"],
    "tcp",
    "import time; time.sleep(60)",
)
ipykernel = pytest.param(IPYKERNEL, id="ipykernel")
bash = pytest.param(BASH, id="bash")
xpython = pytest.param(XPYTHON, id="xpython-raw")
r = pytest.param(
    R,
    id="IRkernel",
    marks=pytest.mark.skipif(shutil.which("R") is None, reason="R is not installed"),
)


@asynccontextmanager
async def launched(
    kernel: Kernel, runtime_dir: Path, **options: Any
) -> AsyncGenerator[tuple[ConnectionInfo, KernelClient]]:
    """Launch a kernel, and end it as users do."""
    launcher = make_launcher(
        {"argv": kernel.argv, "metadata": kernel.metadata},
        kernel_name="a",
        options=LaunchOptions(**options),
        runtime_dir=runtime_dir,
    )
    connection_info, manager = await launcher.launch()
    async with KernelClient(connection_info, manager) as client:
        try:
            await client.wait_for_ready(60)
            with anyio.fail_after(60):
                yield connection_info, client
        finally:
            await client.shutdown_or_terminate()


@pytest.mark.parametrize("kernel", [ipykernel, bash, r, xpython])
async def test_a_kernel_is_reached_over_the_transport_that_it_is_known_to_speak(
    kernel: Kernel, runtime_dir: Path
) -> None:
    async with launched(kernel, runtime_dir) as (connection_info, client):
        reply = await client.execute("1")

        assert reply.content["status"] in ("ok", "error")  # 1 is no command of bash
        assert connection_info["transport"] == kernel.transport


@pytest.mark.parametrize("kernel", [ipykernel, bash, r, xpython])
async def test_a_kernel_is_reached_over_the_other_transport_if_asked_for(
    kernel: Kernel, runtime_dir: Path
) -> None:
    transport = "tcp" if kernel.transport == "ipc" else "ipc"
    async with launched(kernel, runtime_dir, transport=transport) as (connection_info, client):
        await client.execute("1")

        assert connection_info["transport"] == transport
        encrypted = "curve_secretkey" in connection_info
        assert encrypted is (kernel is IPYKERNEL)


@pytest.mark.parametrize("kernel", [ipykernel, bash, r])
async def test_a_kernel_that_is_interrupted_goes_on(kernel: Kernel, runtime_dir: Path) -> None:
    async with launched(kernel, runtime_dir) as (_, client):
        request = client.execute(kernel.sleep)
        async for message in request:
            if (
                message.msg_type == "stream"
            ):  # R ends if it is interrupted before the code has begun
                break
        replies: list[Message] = []
        while not replies:  # ipykernel may lose one that comes in the midst of its output
            await client.interrupt()
            with anyio.move_on_after(5):
                replies.append(await request)
        again = await client.execute("")

        assert replies[0].content["status"] in ("error", "abort")
        assert again.content["status"] == "ok"


async def test_a_kernel_that_cannot_be_interrupted_goes_on_with_what_it_does(
    runtime_dir: Path,
) -> None:
    async with launched(XPYTHON, runtime_dir) as (_, client):
        request = client.execute("import time; time.sleep(0.2)")
        with pytest.raises(InterruptUnsupportedError):
            await client.interrupt()
        reply = await request

        assert reply.content["status"] == "ok"
