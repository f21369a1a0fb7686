"""Kernels of a real Jupyter Server and a real Kernel Gateway, under the ordinary client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from kernel_mgmt import (
    BlockingKernelClient,
    ConnectionInfo,
    CredentialsRefusedError,
    KernelClient,
    KernelDiedError,
    KernelGoneError,
    Message,
)

from .conftest import Server
from .relay import Relay

pytestmark = pytest.mark.anyio

_BUFFERS = """
from ipykernel.comm import Comm
comm = Comm(target_name="nobody", buffers=[b"\\x00\\xff", b"b" * 100_000])
"""


def info_of(server: Server, kernel_id: str) -> ConnectionInfo:
    url = server.channels_url(kernel_id)
    return ConnectionInfo(transport="websocket", url=url, headers=server.headers)


@pytest.fixture(scope="module")
def kernels() -> Iterator[dict[Server, str]]:
    """The kernel of each server that has one already; they are ended in the end."""
    started: dict[Server, str] = {}
    yield started
    for server, kernel_id in started.items():
        server.end_kernel(kernel_id)


@pytest.fixture
async def kernel_id(real_server: Server, kernels: dict[Server, str]) -> str:
    """A kernel that these tests share, which each leaves idle."""
    if real_server not in kernels:
        kernels[real_server] = await run_sync(real_server.start_kernel)
    return kernels[real_server]


async def test_a_kernel_executes(real_server: Server, kernel_id: str) -> None:
    async with KernelClient(info_of(real_server, kernel_id)) as client:
        info = await client.wait_for_ready(60)
        outputs = await client.execute("print(6 * 7)").outputs()

    assert info["implementation"] == "ipython"
    assert outputs == [{"output_type": "stream", "name": "stdout", "text": "42\n"}]


async def test_a_kernel_asks_for_input(real_server: Server, kernel_id: str) -> None:
    async with KernelClient(info_of(real_server, kernel_id)) as client:

        def answer(question: Message) -> None:
            client.input("an answer")

        client.add_handler(answer, "stdin")
        with anyio.fail_after(60):
            outputs = await client.execute("print(input('?'))").outputs()

    assert outputs[-1]["text"].endswith("an answer\n")


async def test_buffers_and_large_results_come(real_server: Server, kernel_id: str) -> None:
    async with KernelClient(info_of(real_server, kernel_id)) as client:
        with anyio.fail_after(60):
            messages = [each async for each in client.execute(_BUFFERS)]
            reply = await client.execute(
                "", silent=True, user_expressions={"large": "'x' * 30_000_000"}
            )

    (opened,) = [each for each in messages if each.msg_type == "comm_open"]
    assert [bytes(each) for each in opened.buffers] == [b"\x00\xff", b"b" * 100_000]
    large = reply.content["user_expressions"]["large"]["data"]["text/plain"]
    assert len(large) == 30_000_002


async def test_what_is_missed_while_the_connection_is_broken_comes(
    real_server: Server, kernel_id: str, tmp_path: Any
) -> None:
    go_on = tmp_path / "go_on"
    code = f"""
import os, time
print("before")
while not os.path.exists({str(go_on)!r}):
    time.sleep(0.01)
print("after")
"""
    with Relay(real_server.url) as relay:
        info = info_of(real_server, kernel_id)
        info["url"] = relay.through(real_server.channels_url(kernel_id))
        async with KernelClient(info) as client:
            with anyio.fail_after(60):
                request = client.execute(code)
                messages = [await anext(request) for _ in range(3)]
                await run_sync(relay.break_all)
                while client.is_connected:
                    await anyio.sleep(0.001)
                go_on.touch()
                messages += [each async for each in request]
                reply = await request

    text = "".join(each.content["text"] for each in messages if each.msg_type == "stream")
    assert text == "before\nafter\n"
    assert reply.content["status"] == "ok"
    assert len({each.msg_id for each in messages}) == len(messages)


async def test_a_kernel_that_crashes_fails_what_is_pending_and_comes_back(
    jupyter_server: Server,
) -> None:
    kernel_id = await run_sync(jupyter_server.start_kernel)
    with ExitStack() as stack, anyio.fail_after(60):
        stack.callback(jupyter_server.end_kernel, kernel_id)
        async with KernelClient(info_of(jupyter_server, kernel_id)) as client:
            await client.wait_for_ready()

            with pytest.raises(KernelDiedError):
                await client.execute("import os; os._exit(1)")
            await client.wait_for_ready()
            assert (await client.execute("1")).content["status"] == "ok"


async def test_a_kernel_that_is_not_there_is_gone(real_server: Server) -> None:
    async with KernelClient(info_of(real_server, "00000000-0000-0000-0000-000000000000")) as client:
        with pytest.raises(KernelGoneError):
            await client.wait_for_ready(60)


async def test_a_wrong_token_is_refused(real_server: Server, kernel_id: str) -> None:
    info = info_of(real_server, kernel_id)
    info["headers"] = {"Authorization": "token wrong"}
    async with KernelClient(info) as client:
        with pytest.raises(CredentialsRefusedError):
            await client.wait_for_ready(60)


def test_a_program_that_blocks_talks_to_it(jupyter_server: Server) -> None:
    kernel_id = jupyter_server.start_kernel()
    try:
        with BlockingKernelClient(info_of(jupyter_server, kernel_id)) as client:
            client.wait_for_ready(60)
            reply = client.execute("1")
    finally:
        jupyter_server.end_kernel(kernel_id)

    assert reply.content["status"] == "ok"
