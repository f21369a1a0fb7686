"""A real Enterprise Gateway, of an environment of its own, where one is named.

It needs ``jupyter_enterprise_gateway``, ``jupyter_client<7``, ``jupyter_server<2``, ``pyzmq<25`` and
``ipykernel``; the variable names the Python of the environment.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from uuid import uuid4

import anyio
import psutil
import pytest

from kernel_mgmt import KernelFinder, LaunchOptions, start_kernel_async
from kernel_mgmt_gateway import (
    GatewayCredentialsError,
    GatewayKernelManager,
    GatewayKernelProvider,
    GatewayLaunchError,
    GatewaySettings,
)

PYTHON = os.environ.get("KERNEL_MGMT_TEST_ENTERPRISE_GATEWAY", "")
TOKEN = "the-token-of-the-tests"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not PYTHON, reason="elsewhere: no Enterprise Gateway is named"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("enterprise_gateway")
    names = ("config", "data", "runtime")
    env = {**os.environ, **{f"JUPYTER_{name.upper()}_DIR": str(home / name) for name in names}}
    env["PATH"] = os.pathsep.join([str(Path(PYTHON).parent), env["PATH"]])
    arguments = ["--ip=127.0.0.1", "--port=0", f"--EnterpriseGatewayApp.auth_token={TOKEN}"]
    listing = "--EnterpriseGatewayApp.list_kernels=True"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [PYTHON, "-m", "enterprise_gateway", *arguments, listing],
            env=env,
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{_port(process, home / 'log')}"
    finally:
        process.terminate()
        process.wait(30)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    until = monotonic() + 60
    while process.poll() is None and monotonic() < until:
        for each in psutil.Process(process.pid).net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN:
                return each.laddr.port
        sleep(0.02)
    raise RuntimeError(log.read_text(encoding="utf-8"))


def finder_of(url: str, user: str) -> KernelFinder:
    settings = GatewaySettings(url, auth_token=TOKEN, user=user)
    return KernelFinder([GatewayKernelProvider([settings])])


async def test_a_kernel_has_the_environment_and_the_id_that_are_sent(url: str) -> None:
    options = LaunchOptions(env={"KERNEL_FOO": "bar"})
    outputs: list[str] = []
    with anyio.fail_after(60):
        manager, client = await start_kernel_async(
            "gateway/python3", finder=finder_of(url, "bob"), options=options
        )
        async with client:
            code = "import os; print(*map(os.environ.get, ('KERNEL_FOO', 'KERNEL_USERNAME')))"
            async for message in client.execute(code):
                if message.msg_type == "stream":
                    outputs.append(message.content["text"])
            await client.interrupt()
            assert isinstance(manager, GatewayKernelManager)
            await manager.restart()
            reply = await client.execute("6 * 7")
            await client.shutdown_or_terminate()
        alive = await manager.is_alive()

    assert outputs == ["bar bob\n"]
    assert reply.content["status"] == "ok"
    assert alive is False


async def test_a_user_who_may_not_is_told(url: str) -> None:
    with anyio.fail_after(60), pytest.raises(GatewayLaunchError, match="403") as caught:
        await finder_of(url, "bob").launch(
            "gateway/python3", options=LaunchOptions(env={"KERNEL_USERNAME": "root"})
        )

    assert isinstance(caught.value.failure, GatewayCredentialsError)
    assert "root" in str(caught.value)


async def test_an_id_is_honoured(url: str) -> None:
    finder = finder_of(url, "bob")
    provider = finder.load_provider("gateway")
    assert isinstance(provider, GatewayKernelProvider)
    with anyio.fail_after(60):
        options = LaunchOptions(kernel_id=str(uuid4()))
        _, manager = await provider.launch("python3", options=options)
        listed = [kernel.id for kernel in await provider.list_running()]
        await manager.kill()

    assert listed == [manager.remote_id] == [options.kernel_id]
