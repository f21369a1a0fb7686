from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from kernel_mgmt import KernelClient, Message
from kernel_mgmt.client import Request

from .conftest import StartFake

pytestmark = pytest.mark.anyio

ASKED: dict[str, tuple[Callable[[KernelClient], Request], str]] = {
    "complete": (lambda client: client.complete("pri"), "complete_reply"),
    "inspect": (lambda client: client.inspect("print", 2, 1), "inspect_reply"),
    "history tail": (lambda c: c.history(hist_access_type="tail", n=3), "history_reply"),
    "history range": (lambda client: client.history(), "history_reply"),
    "is_complete": (lambda client: client.is_complete("print a"), "is_complete_reply"),
    "kernel_info": (lambda client: client.kernel_info(), "kernel_info_reply"),
    "on control": (lambda client: client.kernel_info(channel="control"), "kernel_info_reply"),
    "comm_info": (lambda client: client.comm_info("target"), "comm_info_reply"),
    "interrupt": (lambda client: client.interrupt_request(), "interrupt_reply"),
}


@pytest.mark.parametrize("name", ASKED)
async def test_a_request_is_answered_by_its_reply(name: str, start_fake: StartFake) -> None:
    ask, reply_type = ASKED[name]
    client = await start_fake()

    with anyio.fail_after(30):
        reply = await ask(client)

    assert reply.msg_type == reply_type


async def test_the_cursor_stands_at_the_end_unless_told(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        reply = await client.complete("naïve \U0001f600")

    assert reply.content["cursor_end"] == 7


async def test_ipykernel_answers_what_only_some_kernels_do(ipykernel: KernelClient) -> None:
    with anyio.fail_after(20):
        usage = await ipykernel.usage()
        created = await ipykernel.create_subshell()
        subshell_id = created.content["subshell_id"]
        busy = ipykernel.execute("import time; time.sleep(60)")
        beside = await ipykernel.execute("6 * 7", subshell_id=subshell_id)
        listed = await ipykernel.list_subshells()
        deleted = await ipykernel.delete_subshell(subshell_id)
        await ipykernel.interrupt()
        await busy

    assert usage.content["kernel_cpu"] >= 0
    assert beside.content["status"] == "ok"
    assert listed.content["subshell_id"] == [subshell_id]
    assert deleted.content["status"] == "ok"


async def test_ipykernel_debugs_with_events(ipykernel: KernelClient) -> None:
    events: list[str] = []

    def note(message: Message) -> None:
        if message.msg_type == "debug_event":
            events.append(message.content["event"])

    ipykernel.add_handler(note)
    with anyio.fail_after(20):
        started = await ipykernel.debug(
            "initialize", {"clientID": "test", "adapterID": "", "pathFormat": "path"}
        )
        attached = ipykernel.debug("attach", {"justMyCode": True}, seq=2)
        while "initialized" not in events:
            await anyio.sleep(0.01)
        done = await ipykernel.debug("configurationDone", seq=3)
        await attached
        await ipykernel.debug("disconnect", {"restart": False}, seq=4)

    assert started.content["success"]
    assert done.content["success"]


async def test_comms_are_opened_used_and_closed_with_buffers(ipykernel: KernelClient) -> None:
    target = """
def opened(comm, message):
    @comm.on_msg
    def echo(message):
        comm.send(message["content"]["data"], buffers=[bytes(message["buffers"][0])[::-1]])

get_ipython().kernel.comm_manager.register_target("echo", opened)
"""
    answers: list[Message] = []

    def note(message: Message) -> None:
        if message.msg_type == "comm_msg":
            answers.append(message)

    ipykernel.add_handler(note)
    with anyio.fail_after(20):
        await ipykernel.execute(target)
        ipykernel.comm_open("c1", "echo")
        opened = await ipykernel.comm_info("echo")
        ipykernel.comm_msg("c1", {"a": 1}, buffers=[b"123"])
        while not answers:
            await anyio.sleep(0.01)
        ipykernel.comm_close("c1")
        closed = await ipykernel.comm_info("echo")

    assert opened.content["comms"] == {"c1": {"target_name": "echo"}}
    assert answers[0].content["data"] == {"a": 1}
    assert [bytes(buffer) for buffer in answers[0].buffers] == [b"321"]
    assert closed.content["comms"] == {}
