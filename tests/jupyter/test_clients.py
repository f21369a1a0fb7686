"""The clients, above all in what jupyter_client's own have wrong.

With jupyter_client's own for ``BLOCKING`` and ``ASYNCHRONOUS``, most of these tests fail or hang.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import anyio
import jupyter_client.asynchronous.client
import jupyter_client.blocking.client
import pytest

from kernel_mgmt import ClientClosedError, KernelDiedError
from kernel_mgmt.jupyter import (
    AsyncKernelClient,
    AsyncKernelManager,
    BlockingKernelClient,
    DeadKernelError,
    KernelManager,
)
from kernel_mgmt.testing import fake_kernel_argv
from tests.conftest import left_behind

from .conftest import MakeSpec

BLOCKING: Any = BlockingKernelClient
ASYNCHRONOUS: Any = AsyncKernelClient


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests on asyncio alone: jupyter_client knows no other."""
    return "asyncio"


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory, in which nothing is left, and no process that was given it."""
    directory = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(directory))
    yield directory
    assert left_behind(directory) == []


@pytest.fixture
def manager(make_spec: MakeSpec) -> Iterator[Any]:
    """The manager of a fake kernel that runs."""
    make_spec("fake", argv=fake_kernel_argv())
    manager = KernelManager(kernel_name="fake", client_factory=BLOCKING)
    manager.start_kernel()
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.fixture
def client(manager: Any) -> Iterator[Any]:
    """A blocking client that is ready."""
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=30)
    yield client
    client.stop_channels()


@pytest.fixture
def lonely(manager: Any) -> Iterator[Any]:
    """A blocking client that knows of no manager."""
    client = BLOCKING()
    client.load_connection_info(manager.get_connection_info())
    client.start_channels()
    client.wait_for_ready(timeout=30)
    yield client
    client.stop_channels()


@pytest.fixture
async def async_manager(make_spec: MakeSpec) -> AsyncIterator[Any]:
    """The manager of a fake kernel that runs, for asynchronous code."""
    make_spec("fake", argv=fake_kernel_argv())
    manager = AsyncKernelManager(kernel_name="fake", client_factory=ASYNCHRONOUS)
    await manager.start_kernel()
    yield manager
    with anyio.CancelScope(shield=True):
        await manager.shutdown_kernel(now=True)


@pytest.fixture
async def async_client(async_manager: Any) -> AsyncIterator[Any]:
    """An asynchronous client that is ready."""
    client = async_manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=30)
    yield client
    client.stop_channels()


def texts_of(messages: list[dict[str, Any]]) -> list[str]:
    return [each["content"]["text"] for each in messages if each["msg_type"] == "stream"]


async def at_once(*awaited: Any) -> list[Any]:
    """Await several things at once; return what they return or raise."""
    outcomes: list[Any] = []
    outcomes.extend(await asyncio.gather(*awaited, return_exceptions=True))
    return outcomes


def until_idle(get: Callable[..., dict[str, Any]], msg_id: str) -> list[dict[str, Any]]:
    """What a request publishes, up to its idle."""
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["content"].get("execution_state") != "idle":
        message = get(timeout=30)
        if message["parent_header"].get("msg_id") == msg_id:
            messages.append(message)
    return messages


def test_the_clients_are_those_of_jupyter_client() -> None:
    assert issubclass(BlockingKernelClient, jupyter_client.blocking.client.BlockingKernelClient)
    assert issubclass(AsyncKernelClient, jupyter_client.asynchronous.client.AsyncKernelClient)


def test_nothing_is_lost_while_the_client_sleeps(make_spec: MakeSpec) -> None:
    # One that drops what it publishes when nobody reads.
    make_spec("real", argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    manager = KernelManager(kernel_name="real", client_factory=BLOCKING)
    manager.start_kernel()
    client: Any = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    display = "from IPython.display import publish_display_data as display\n"
    loop = "for _ in range(20_000): display({'text/plain': 2000 * 'x'})"
    # Until the reply, nobody looks at what is published.
    reply = client.execute(display + loop, reply=True, timeout=120)

    messages = until_idle(client.get_iopub_msg, reply["parent_header"]["msg_id"])
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    assert len([each for each in messages if each["msg_type"] == "display_data"]) == 20_000


def test_interactive_code_shows_its_own_output_and_leaves_that_of_others(client: Any) -> None:
    before = client.execute("print before")
    shown: list[dict[str, Any]] = []
    client.execute_interactive("print now", output_hook=shown.append, timeout=30)

    assert texts_of(shown) == ["now\n"]
    assert texts_of(until_idle(client.get_iopub_msg, before)) == ["before\n"]


def test_interactive_code_asks_at_the_terminal(
    client: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("builtins.input", "answer to {}".format)
    client.execute_interactive("input name", timeout=30)

    assert "answer to name" in capsys.readouterr().out


def test_a_reply_that_others_wait_for_is_left_to_them(client: Any) -> None:
    other = client.is_complete("1 +")
    client.kernel_info(reply=True, timeout=30)

    assert client.get_shell_msg(timeout=30)["parent_header"]["msg_id"] == other


def test_every_request_can_wait_for_its_reply(client: Any) -> None:
    assert client.is_complete("print 1", reply=True, timeout=30)["msg_type"] == "is_complete_reply"


def test_what_has_come_is_fetched_at_once(client: Any) -> None:
    asked = [client.kernel_info() for _ in range(3)]
    client.execute("print 1", reply=True, timeout=30)

    replies = client.shell_channel.get_msgs()
    assert [each["parent_header"]["msg_id"] for each in replies] == asked
    assert not client.shell_channel.msg_ready()


def test_a_message_that_is_none_ends_no_wait(client: Any) -> None:
    session, client.session.key = client.session.key, b"another"
    client.execute("print 1")
    with pytest.raises(Empty):
        client.get_shell_msg(timeout=0.1)
    client.session.key = session

    assert client.kernel_info(reply=True, timeout=30)["msg_type"] == "kernel_info_reply"


def test_interactive_code_ends_with_its_kernel(client: Any) -> None:
    with pytest.raises(DeadKernelError, match="exit code 3") as told:
        client.execute_interactive("exit 3")

    assert isinstance(told.value, RuntimeError)
    assert isinstance(told.value, KernelDiedError)
    assert told.value.exit_status is not None


def test_a_client_without_a_manager_is_told_of_the_end_of_the_process(lonely: Any) -> None:
    with pytest.raises(DeadKernelError):
        lonely.execute_interactive("kill")


def test_a_request_does_not_wait_for_the_kernel_that_takes_the_place_of_its_own(
    manager: Any, client: Any
) -> None:
    shown: list[dict[str, Any]] = []

    def restart(message: dict[str, Any]) -> None:
        if not shown and message["content"].get("execution_state") == "busy":
            manager.restart_kernel(now=True)
        shown.append(message)

    with pytest.raises(DeadKernelError):
        client.execute_interactive("spin 600", output_hook=restart)

    client.wait_for_ready(timeout=30)
    assert client.execute("print 1", reply=True, timeout=30)["content"]["status"] == "ok"


def test_the_heartbeat_can_be_paused(client: Any) -> None:
    client.hb_channel.pause()
    paused = client.hb_channel.is_beating()
    client.hb_channel.unpause()

    assert not paused
    assert client.hb_channel.is_beating()


@pytest.mark.anyio
async def test_two_receives_at_once_end_in_time(async_client: Any) -> None:
    async_client.kernel_info()
    with anyio.fail_after(30):
        outcomes = await at_once(
            async_client.get_shell_msg(timeout=1),
            async_client.get_shell_msg(timeout=1),
        )

    (reply,) = (each for each in outcomes if not isinstance(each, Empty))
    assert reply["msg_type"] == "kernel_info_reply"


@pytest.mark.anyio
async def test_each_reply_is_given_to_the_one_who_asked(async_client: Any) -> None:
    with anyio.fail_after(30):
        replies = await at_once(
            async_client.kernel_info(reply=True),
            async_client.execute("print 1", reply=True),
            async_client.is_complete("print 1", reply=True),
        )

    assert [each["msg_type"] for each in replies] == [
        "kernel_info_reply",
        "execute_reply",
        "is_complete_reply",
    ]


@pytest.mark.anyio
async def test_interactive_codes_at_once_show_each_their_own(async_client: Any) -> None:
    shown: dict[int, list[dict[str, Any]]] = {index: [] for index in range(3)}
    with anyio.fail_after(30):
        await asyncio.gather(
            *(
                async_client.execute_interactive(f"print {index}", output_hook=messages.append)
                for index, messages in shown.items()
            )
        )

    assert {index: texts_of(messages) for index, messages in shown.items()} == {
        index: [f"{index}\n"] for index in shown
    }


def test_the_requests_of_two_clients_have_different_ids(manager: Any, client: Any) -> None:
    other = manager.client()

    assert client.session.session != other.session.session


@pytest.mark.anyio
async def test_a_receive_that_is_cancelled_takes_no_message(async_client: Any) -> None:
    asked: list[str] = []
    received: list[str] = []

    async def receive() -> None:
        message = await async_client.get_shell_msg()
        received.append(message["parent_header"]["msg_id"])

    for turn in range(50):
        tasks = [asyncio.create_task(receive()) for _ in range(2)]
        asked.append(async_client.kernel_info())
        for _ in range(turn):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    with anyio.fail_after(30):
        while len(received) < len(asked):
            await receive()

    assert received == asked


@pytest.mark.anyio
async def test_a_receive_ends_when_the_channels_are_stopped(async_client: Any) -> None:
    receiving = asyncio.create_task(async_client.get_shell_msg())
    await asyncio.sleep(0)
    async_client.stop_channels()

    with anyio.fail_after(30), pytest.raises(ClientClosedError):
        await receiving


@pytest.mark.anyio
async def test_a_reply_is_not_waited_for_when_the_kernel_has_died(async_client: Any) -> None:
    with anyio.fail_after(30), pytest.raises(DeadKernelError, match="SIGKILL") as told:
        await async_client.execute("kill", reply=True)

    assert told.value.exit_status is not None
    assert told.value.exit_status.signal == signal.SIGKILL


@pytest.mark.anyio
async def test_a_kernel_that_ends_at_startup_says_how_and_why(make_spec: MakeSpec) -> None:
    code = "import sys; print('no module named oblong', file=sys.stderr); sys.exit(3)"
    make_spec("broken", argv=[sys.executable, "-S", "-c", code])
    manager = AsyncKernelManager(kernel_name="broken", client_factory=ASYNCHRONOUS)
    await manager.start_kernel()
    client: Any = manager.client()
    client.start_channels()

    with anyio.fail_after(30), pytest.raises(RuntimeError, match=r"(?s)exit code 3.*oblong"):
        await client.wait_for_ready()

    client.stop_channels()
    await manager.shutdown_kernel(now=True)


@pytest.mark.anyio
async def test_being_ready_takes_nothing_away(async_manager: Any, async_client: Any) -> None:
    observer: Any = async_manager.client()
    observer.start_channels()
    await observer.wait_for_ready(timeout=30)
    await async_client.execute("print for all", reply=True, timeout=30)
    await observer.wait_for_ready(timeout=30)

    messages = [await observer.get_iopub_msg(timeout=30)]
    while not texts_of(messages):
        messages.append(await observer.get_iopub_msg(timeout=30))
    observer.stop_channels()
    assert "kernel_info_request" not in {each["parent_header"]["msg_type"] for each in messages}


@pytest.mark.anyio
async def test_stopped_channels_leave_no_descriptor(async_manager: Any) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    while_open: list[int] = []
    for _ in range(5):
        client: Any = async_manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        while_open.append(descriptors())
        client.stop_channels()

    with anyio.fail_after(30):
        while descriptors() >= while_open[0]:
            await anyio.sleep(0.01)
