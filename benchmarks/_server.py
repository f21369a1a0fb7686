"""A Jupyter Server with one kernel, and the clients that reach the kernel through it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.request import Request, urlopen

from ._environment import KERNEL, runtime_directory
from ._model import Metrics

if TYPE_CHECKING:
    from jupyter_kernel_client.wsclient import KernelWebSocketClient
    from jupyter_server.gateway.managers import GatewayKernelClient

    from kernel_mgmt import KernelClient

FAKE_KERNEL = "fake"
# The peer sends no credentials with its WebSocket, so that none may be asked for.
_ARGUMENTS = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port=0",
    "--ServerApp.jpserver_extensions={}",
    "--ServerApp.disable_check_xsrf=True",
    "--IdentityProvider.token=",
    "--ZMQChannelsWebsocketConnection.limit_rate=False",
)
_PATIENCE = 30.0


@contextmanager
def served_kernel(name: str = KERNEL) -> Generator[tuple[str, str]]:
    """Start a server and a kernel on it; give the URL of the server and the id of the kernel."""
    if name == FAKE_KERNEL:
        _write_fake_kernelspec()
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_server", *_ARGUMENTS], stdin=subprocess.DEVNULL
    )
    try:
        url = _url_of(process)
        body = json.dumps({"name": name}).encode()
        with urlopen(Request(f"{url}/api/kernels", body), timeout=_PATIENCE) as response:
            kernel_id: str = json.load(response)["id"]
        yield url, kernel_id
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def with_ours_served(
    kernel: str, backend: str, use: Callable[[KernelClient], Awaitable[Metrics]]
) -> Metrics:
    """Use a ``KernelClient`` over its WebSocket."""
    import anyio

    from kernel_mgmt import KernelClient

    async def main(url: str, kernel_id: str) -> Metrics:
        channels = f"ws{url.removeprefix('http')}/api/kernels/{kernel_id}/channels"
        async with KernelClient({"transport": "websocket", "url": channels}) as client:
            await client.wait_for_ready(timeout=_PATIENCE)
            return await use(client)

    with served_kernel(kernel) as (url, kernel_id):
        return anyio.run(main, url, kernel_id, backend=backend)


def with_gateway_client(
    kernel: str, use: Callable[[GatewayKernelClient], Awaitable[Metrics]]
) -> Metrics:
    """Use the ``GatewayKernelClient`` of jupyter_server."""
    from jupyter_server.gateway.gateway_client import GatewayClient
    from jupyter_server.gateway.managers import GatewayKernelClient

    async def main(url: str, kernel_id: str) -> Metrics:
        GatewayClient.instance(url=url)
        client: Any = cast("Any", GatewayKernelClient)(kernel_id)
        await client.start_channels()
        try:
            client.kernel_info()
            await client.get_shell_msg(timeout=_PATIENCE)
            return await use(client)
        finally:
            client.stop_channels()

    with served_kernel(kernel) as (url, kernel_id):
        return asyncio.run(main(url, kernel_id))


def with_websocket_client(kernel: str, use: Callable[[KernelWebSocketClient], Metrics]) -> Metrics:
    """Use the ``KernelWebSocketClient`` of jupyter-kernel-client, which blocks."""
    from jupyter_kernel_client.wsclient import JupyterSubprotocol, KernelWebSocketClient

    with served_kernel(kernel) as (url, kernel_id):
        channels = f"ws{url.removeprefix('http')}/api/kernels/{kernel_id}/channels"
        client = KernelWebSocketClient(channels, subprotocol=JupyterSubprotocol.DEFAULT)
        client.start_channels()
        try:
            client.kernel_info()
            client.get_shell_msg(timeout=_PATIENCE)
            return use(client)
        finally:
            client.stop_channels()


def _url_of(process: subprocess.Popen[bytes]) -> str:
    file = runtime_directory() / f"jpserver-{process.pid}.json"
    until = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            url: str = json.loads(file.read_text(encoding="utf-8"))["url"]
            urlopen(f"{url}api", timeout=_PATIENCE).close()
        except (OSError, ValueError):  # the file is half there, or the server does not listen yet
            time.sleep(0.02)
        else:
            return url.rstrip("/")
    raise RuntimeError("the server does not come up")


def _write_fake_kernelspec() -> None:
    directory = Path(os.environ["JUPYTER_DATA_DIR"]) / "kernels" / FAKE_KERNEL
    directory.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [sys.executable, "-m", "benchmarks._fake_kernel", "{connection_file}"],
        "display_name": "Fake",
        "language": "number",
        "env": {"PYTHONPATH": str(Path(__file__).parent.parent)},
    }
    (directory / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
