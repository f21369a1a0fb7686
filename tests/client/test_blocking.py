from __future__ import annotations

import inspect
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel_mgmt import (
    BlockingKernelClient,
    KernelClient,
    KernelDiedError,
    KernelFinder,
    Message,
    OutputOverflowError,
    run_kernel_blocking,
)
from kernel_mgmt.messages import MessageFactory
from kernel_mgmt_pyimport import IPykernelProvider
from tests.fake_provider import FakeProvider


@pytest.fixture
def client() -> Iterator[BlockingKernelClient]:
    finder = KernelFinder([FakeProvider()])
    with run_kernel_blocking("fake/ipc", finder=finder) as client:
        yield client


@pytest.fixture(scope="module")
def ipykernel() -> Iterator[BlockingKernelClient]:
    finder = KernelFinder([IPykernelProvider()])
    with run_kernel_blocking("pyimport/kernel", finder=finder) as client:
        yield client


def test_the_methods_are_those_of_the_asynchronous_client() -> None:
    lacking = {
        name
        for name, member in inspect.getmembers(KernelClient)
        if not name.startswith("_") and callable(member) and not hasattr(BlockingKernelClient, name)
    }

    # Sending without waiting is `interrupt` here.
    assert lacking == {"interrupt_request"}


@pytest.mark.parametrize("name", ["__init__", "from_connection_file"])
def test_the_arguments_are_those_of_the_asynchronous_client(name: str) -> None:
    ours = inspect.signature(getattr(BlockingKernelClient, name)).parameters
    theirs = inspect.signature(getattr(KernelClient, name)).parameters

    assert list(ours.values()) == list(theirs.values())


def test_the_properties_are_those_of_the_asynchronous_client() -> None:
    def properties(kind: type) -> set[str]:
        return {name for name, member in vars(kind).items() if isinstance(member, property)}

    # What the other one keeps as plain attributes are properties here.
    assert properties(BlockingKernelClient) >= properties(KernelClient)


def test_the_heartbeat_and_the_limit_are_those_that_were_asked_for(
    client: BlockingKernelClient, tmp_path: Path
) -> None:
    path = tmp_path / "kernel.json"
    path.write_text(json.dumps(client.connection_info), encoding="utf-8")

    with BlockingKernelClient.from_connection_file(
        path, output_limit=1_000_000, use_heartbeat=5
    ) as other:
        other.wait_for_ready(30)
        done = threading.Event()

        def note(message: Message) -> None:
            if message.execution_state == "idle":
                done.set()

        other.add_handler(note)
        with pytest.raises(OutputOverflowError, match="1,000,000 bytes"):
            other.execute_interactive("flood 100 50000", output_hook=lambda _: done.wait(30))

        assert other.is_beating
    assert client.is_beating is None


def test_a_hook_that_is_slow_sees_everything(client: BlockingKernelClient) -> None:
    seen: list[int] = []

    def note(message: Message) -> None:
        if message.msg_type == "stream":
            seen.append(len(message.content["text"]))

    client.execute_interactive("flood 100 50000", output_hook=note, timeout=30)

    assert seen == [50_000] * 100


ASKED: dict[str, Callable[[BlockingKernelClient], Message]] = {
    "execute": lambda client: client.execute("1", timeout=60),
    "complete": lambda client: client.complete("pri", timeout=60),
    "inspect": lambda client: client.inspect("print", timeout=60),
    "history": lambda client: client.history(hist_access_type="tail", n=1, timeout=60),
    "is_complete": lambda client: client.is_complete("1", timeout=60),
    "kernel_info": lambda client: client.kernel_info(channel="control", timeout=60),
    "comm_info": lambda client: client.comm_info(timeout=60),
    "usage": lambda client: client.usage(timeout=60),
    "list_subshell": lambda client: client.list_subshells(timeout=60),
    "debug": lambda client: client.debug("debugInfo", timeout=60),
}


@pytest.mark.parametrize("kind", ASKED)
def test_a_request_returns_its_reply(kind: str, ipykernel: BlockingKernelClient) -> None:
    reply = ASKED[kind](ipykernel)

    assert reply.msg_type == f"{kind}_reply"


def test_subshells_are_made_used_and_deleted(ipykernel: BlockingKernelClient) -> None:
    subshell_id = ipykernel.create_subshell(timeout=60).content["subshell_id"]
    reply = ipykernel.execute("1", subshell_id=subshell_id, timeout=60)
    deleted = ipykernel.delete_subshell(subshell_id, timeout=60)

    assert reply.content["status"] == deleted.content["status"] == "ok"


def test_comms_are_told_what_is_sent(client: BlockingKernelClient) -> None:
    echoes: list[Message] = []
    client.add_handler(echoes.append)

    sent = client.comm_open("c", "target")
    client.comm_msg("c", {"a": 1}, buffers=[b"123"])
    opened = client.comm_info(timeout=30)
    client.comm_close("c")
    closed = client.comm_info(timeout=30)
    client.remove_handler(echoes.append)

    assert sent
    assert opened.content["comms"] == {"c": {"target_name": "target"}}
    assert closed.content["comms"] == {}
    assert "comm_msg" in {message.msg_type for message in echoes}


def test_hooks_are_called_in_the_calling_thread(client: BlockingKernelClient) -> None:
    threads: set[int] = set()
    results: list[str] = []

    def note(message: Message) -> None:
        threads.add(threading.get_ident())
        if message.msg_type == "execute_result":
            results.append(message.content["data"]["text/plain"])

    def answer(message: Message) -> str:
        threads.add(threading.get_ident())
        return "me"

    client.execute_interactive("input name", output_hook=note, stdin_hook=answer, timeout=30)

    assert results == ["me"]
    assert threads == {threading.get_ident()}


def test_output_is_printed_as_at_a_terminal(
    ipykernel: BlockingKernelClient, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = ipykernel.execute_interactive("print('a'); 6 * 7", timeout=60)

    assert reply.content["status"] == "ok"
    assert capsys.readouterr().out == "a\n42\n"


def test_a_hook_that_raises_ends_the_call(client: BlockingKernelClient) -> None:
    def fail(message: Message) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.execute_interactive("print a\nsleep 0.1", output_hook=fail)

    assert client.execute("result 1", timeout=30).content["status"] == "ok"


def test_what_takes_too_long_raises(client: BlockingKernelClient) -> None:
    with pytest.raises(TimeoutError):
        client.execute_interactive("sleep 60", stop_on_error=False, timeout=0.1)

    client.interrupt(timeout=30)
    assert client.execute("result 1", timeout=30).content["status"] == "ok"


def test_ctrl_c_interrupts_the_kernel_and_a_second_one_the_call(
    client: BlockingKernelClient,
) -> None:
    def press(message: Message) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def press_once(message: Message) -> None:
        if message.msg_type == "stream":
            press(message)

    reply = client.execute_interactive("print a\nsleep 60", output_hook=press_once, timeout=30)
    with pytest.raises(KeyboardInterrupt):
        client.execute_interactive("print a\nsleep 60", output_hook=press, timeout=30)

    assert reply.content["status"] == "error"


def test_the_death_of_the_kernel_is_raised(client: BlockingKernelClient) -> None:
    with pytest.raises(KernelDiedError):
        client.execute("kill", timeout=30)


def test_a_blocking_client_goes_over_to_the_next_kernel(client: BlockingKernelClient) -> None:
    with run_kernel_blocking("fake/ipc", finder=KernelFinder([FakeProvider()])) as other:
        mine, my_manager = client.connection_info, client.manager
        client.reconnect(other.connection_info)
        client.wait_for_ready(30)
        pid = client.execute("result 1", timeout=30)
        client.reconnect(mine, my_manager)
        client.wait_for_ready(30)

    assert pid.content["status"] == "ok"


def test_the_end_of_a_blocking_client_is_told(client: BlockingKernelClient) -> None:
    ended = threading.Event()
    client.add_change_handler(ended.set)
    client.connect()
    before = client.failure

    client.send("shell", MessageFactory().make("execute_request", {"code": "kill"})[1])
    told = ended.wait(10)

    assert before is None
    assert told
    assert isinstance(client.failure, KernelDiedError)
