"""A Jupyter Server whose kernels are managed by our class, over REST and websocket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from .test_server import TOKEN, Server, running_server

pytestmark = pytest.mark.anyio

OUR_CLASS = "kernel_mgmt.jupyter.ServerKernelManager"


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests on asyncio alone, for the sake of the websocket."""
    return "asyncio"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("server")
    setting = f"--AsyncMappingKernelManager.kernel_manager_class={OUR_CLASS}"
    with running_server(root, setting) as server:
        yield server
    assert list(root.glob("kernel-*")) == []


@pytest.fixture(scope="module")
def kernel_id(server: Server) -> Iterator[str]:
    """A kernel that runs."""
    kernel_id: str = json.loads(server.ask("/api/kernels", {"name": "python3"}))["id"]
    yield kernel_id
    server.ask(f"/api/kernels/{kernel_id}", method="DELETE")


class Page:
    """What a page does with a kernel, by its websocket."""

    def __init__(self, server: Server, kernel_id: str, socket: WebSocketClientConnection) -> None:
        self._server = server
        self._path = f"/api/kernels/{kernel_id}"
        self._socket = socket

    async def result_of(self, code: str) -> str:
        """What the kernel publishes as the result or the error of some code."""
        asked = await self.send(code)
        result = ""
        while True:
            message = await self.next_message()
            content = message["content"]
            if message["msg_type"] == "execute_result":
                result = content["data"]["text/plain"]
            elif message["msg_type"] == "error":
                result = content["ename"]
            elif is_idle_after(asked, message):
                return result

    async def send(self, code: str) -> str:
        """Have the kernel execute some code, and return the id of the message."""
        content: dict[str, object] = {"code": code, "silent": False, "allow_stdin": False}
        return await self._request("execute_request", content)

    async def hears_the_kernel(self) -> None:
        """Ask the kernel until it is heard, as pages do when it was started again.

        What it says before the server's sockets are connected again, nobody hears.
        """
        heard = False
        with anyio.fail_after(60):
            while not heard:
                asked = await self._request("kernel_info_request", {})
                with anyio.move_on_after(1):
                    while not heard:
                        heard = is_idle_after(asked, await self.next_message())

    async def _request(self, msg_type: str, content: dict[str, object]) -> str:
        header = {"msg_id": uuid4().hex, "msg_type": msg_type, "version": "5.3"}
        request = {
            "header": {**header, "username": "", "session": "page"},
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
        }
        await self._socket.write_message(json.dumps(request))
        return header["msg_id"]

    async def next_message(self) -> dict[str, Any]:
        with anyio.fail_after(60):
            text = await self._socket.read_message()
        assert text is not None, "the server has closed the websocket"
        message: dict[str, Any] = json.loads(text)
        return message

    async def has_state(self, state: str) -> None:
        """Wait until the kernel, or the server in its place, tells a state."""
        while (await self.next_message())["content"].get("execution_state") != state:
            pass

    async def ask(self, action: str) -> None:
        """Ask the server for something over REST."""
        await asyncio.to_thread(self._server.ask, f"{self._path}/{action}", {})


def is_idle_after(asked: str, message: dict[str, Any]) -> bool:
    """Whether a message tells that a request has been worked off."""
    state = message["content"].get("execution_state")
    return state == "idle" and message["parent_header"].get("msg_id") == asked


@pytest.fixture
async def page(server: Server, kernel_id: str) -> AsyncIterator[Page]:
    async with opened(server, kernel_id) as page:
        yield page


@asynccontextmanager
async def opened(server: Server, kernel_id: str) -> AsyncGenerator[Page]:
    url = f"{server.url.replace('http', 'ws')}/api/kernels/{kernel_id}/channels"
    request = HTTPRequest(url, headers={"Authorization": f"token {TOKEN}"})
    socket = await websocket_connect(request)
    try:
        yield Page(server, kernel_id, socket)
    finally:
        socket.close()
        # Until it is closed from both sides.
        while await socket.read_message() is not None:
            pass


async def test_a_page_executes_code(page: Page) -> None:
    assert await page.result_of("6 * 7") == "42"


async def test_a_page_interrupts_the_kernel(page: Page) -> None:
    await page.send("import time; print('begun', flush=True); time.sleep(600)")
    while (await page.next_message())["msg_type"] != "stream":
        pass
    await page.ask("interrupt")

    while (message := await page.next_message())["msg_type"] != "error":
        pass
    assert message["content"]["ename"] == "KeyboardInterrupt"


async def test_a_page_goes_on_after_a_restart(page: Page) -> None:
    await page.result_of("x = 1")
    await page.ask("restart")
    await page.hears_the_kernel()

    assert await page.result_of("x") == "NameError"


async def test_a_page_goes_on_after_a_crash(page: Page) -> None:
    pid = int(await page.result_of("import os; os.getpid()"))
    os.kill(pid, signal.SIGKILL)
    await page.has_state("restarting")
    await page.hears_the_kernel()

    assert int(await page.result_of("import os; os.getpid()")) != pid


def test_a_kernel_type_of_a_provider_starts_and_ends(server: Server) -> None:
    kernel = json.loads(server.ask("/api/kernels", {"name": "pyimport.kernel"}))
    server.ask(f"/api/kernels/{kernel['id']}", method="DELETE")

    assert kernel["id"] not in [each["id"] for each in server.get("/api/kernels")]
