"""The classic client for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import getmembers
from queue import Empty

import pytest

from kernel_mgmt import KernelDiedError
from kernel_mgmt.classic import AsyncKernelClient, BlockingKernelClient
from kernel_mgmt.types import JSONDict

from .conftest import StartBlocking


def until_idle(client: BlockingKernelClient, msg_id: str) -> list[str]:
    """The types of what is published for a request, as everybody fetches it."""
    types: list[str] = []
    while True:
        message = client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") == msg_id:
            types.append(message["msg_type"])
            if message["content"].get("execution_state") == "idle":
                return types


def test_the_public_names_are_those_of_the_asynchronous_client() -> None:
    names = [
        {name for name, _ in getmembers(kind) if not name.startswith("_")}
        for kind in (BlockingKernelClient, AsyncKernelClient)
    ]

    assert names[0] == names[1]


def test_what_is_published_and_the_reply_are_fetched(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    msg_id = client.execute("print a")
    types = until_idle(client, msg_id)
    reply = client.get_shell_msg(timeout=30)

    assert types == ["status", "execute_input", "stream", "status"]
    assert reply["parent_header"]["msg_id"] == msg_id


ASKED: dict[str, Callable[[BlockingKernelClient], JSONDict]] = {
    "execute": lambda client: client.execute("1", reply=True, timeout=30),
    "complete": lambda client: client.complete("pri", reply=True, timeout=30),
    "inspect": lambda client: client.inspect("print", 2, 1, reply=True, timeout=30),
    "history": lambda client: client.history(reply=True, timeout=30),
    "kernel_info": lambda client: client.kernel_info(reply=True, timeout=30),
    "comm_info": lambda client: client.comm_info(reply=True, timeout=30),
    "is_complete": lambda client: client.is_complete("1", reply=True, timeout=30),
    "shutdown": lambda client: client.shutdown(reply=True, timeout=30),
}


def test_requests_give_their_replies_where_that_is_asked_for(
    start_blocking: StartBlocking,
) -> None:
    client = start_blocking()

    replies = {kind: ask(client)["msg_type"] for kind, ask in ASKED.items()}

    assert replies == {kind: f"{kind}_reply" for kind in ASKED}
    assert not client.shell_channel.msg_ready()


@pytest.mark.parametrize("timeout", [0, 0.01])
def test_channels_without_messages_are_empty(timeout: float, start_blocking: StartBlocking) -> None:
    client = start_blocking()

    for fetch in (
        client.get_shell_msg,
        client.get_iopub_msg,
        client.get_stdin_msg,
        client.get_control_msg,
        client.shell_channel.get_msg,
    ):
        with pytest.raises(Empty):
            fetch(timeout=timeout)


def test_a_client_works_inside_a_running_loop(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    async def main() -> JSONDict:
        client.execute("print a")
        client.get_iopub_msg(timeout=30)
        return client.get_shell_msg(timeout=30)

    reply = asyncio.run(main())

    assert reply["content"]["status"] == "ok"


def test_many_threads_share_a_client(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    def work(number: int) -> str:
        reply = client.execute(f"result {number}", reply=True, timeout=60)
        return str(reply["content"]["status"])

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(work, range(40)))

    assert statuses == ["ok"] * 40
    assert not client.shell_channel.msg_ready()


def test_threads_that_fetch_share_the_messages(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    def fetch(number: int) -> str:
        return str(client.get_shell_msg(timeout=60)["parent_header"]["msg_id"])

    with ThreadPoolExecutor(8) as threads:
        fetched = threads.map(fetch, range(40))
        asked = [client.is_complete("1") for _ in range(40)]

    assert sorted(fetched) == sorted(asked)


def test_hooks_are_called_in_the_calling_thread(start_blocking: StartBlocking) -> None:
    client = start_blocking()
    threads: set[int] = set()
    results: list[str] = []

    def note(message: JSONDict) -> None:
        threads.add(threading.get_ident())
        if message["msg_type"] == "execute_result":
            results.append(message["content"]["data"]["text/plain"])

    def answer(message: JSONDict) -> None:
        threads.add(threading.get_ident())
        client.input("me")

    reply = client.execute_interactive(
        "input name", output_hook=note, stdin_hook=answer, timeout=30
    )

    assert reply["content"]["status"] == "ok"
    assert results == ["me"]
    assert threads == {threading.get_ident()}


def test_output_is_printed_and_input_asked_for_where_there_is_no_hook(
    start_blocking: StartBlocking,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = start_blocking()
    monkeypatch.setattr("builtins.input", lambda prompt: f"answer to {prompt}")  # pyright: ignore

    client.execute_interactive("print a\ninput name", timeout=30)

    assert capsys.readouterr().out == "a\nanswer to name\n"


def test_code_that_takes_too_long_raises(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    with pytest.raises(TimeoutError):
        client.execute_interactive("sleep 0.2", timeout=0.01)

    assert client.get_shell_msg(timeout=30)["msg_type"] == "execute_reply"


def test_a_kernel_that_dies_while_it_runs_code_is_told(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    with pytest.raises(KernelDiedError):
        client.execute_interactive("kill")

    assert not client.is_alive()


def test_ctrl_c_ends_a_fetch(start_blocking: StartBlocking) -> None:
    client = start_blocking()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    timer.start()
    with pytest.raises(KeyboardInterrupt):
        client.get_shell_msg(timeout=60)
    timer.join()

    assert client.execute("result 1", reply=True, timeout=30)["content"]["status"] == "ok"


def test_channels_run_from_start_to_stop_and_again(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    client.stop_channels()
    stopped = client.channels_running
    with pytest.raises(RuntimeError, match="start_channels"):
        client.execute("1")
    client.start_channels()
    client.wait_for_ready(30)

    assert not stopped
    assert client.execute("result 1", reply=True, timeout=30)["content"]["status"] == "ok"


def test_a_message_made_by_hand_is_sent(start_blocking: StartBlocking) -> None:
    client = start_blocking()

    message = client.session.msg("kernel_info_request")
    client.control_channel.send(message)
    reply = client.get_control_msg(timeout=30)

    assert reply["parent_header"]["msg_id"] == message["msg_id"]


def test_all_that_waits_is_fetched_at_once(start_blocking: StartBlocking) -> None:
    client = start_blocking(ipykernel=True)

    client.execute("print(1)", reply=True, timeout=30)
    client.execute("2", reply=True, timeout=30)
    types = [message["msg_type"] for message in client.iopub_channel.get_msgs()]

    assert "stream" in types


def test_a_client_that_was_not_started_starts_at_its_first_use(
    start_blocking: StartBlocking,
) -> None:
    owner = start_blocking()
    client = BlockingKernelClient(**owner.get_connection_info())

    client.wait_for_ready(30)
    beating = client.hb_channel.is_beating()
    client.stop_channels()

    assert beating
