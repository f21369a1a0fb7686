"""The classic client for asynchronous code, with fake kernels that do as they are told."""

from __future__ import annotations

import gc
from collections.abc import Callable, Coroutine
from datetime import datetime
from queue import Empty
from signal import SIGCONT, SIGSTOP
from typing import Any
from weakref import ref

import anyio
import pytest

from kernel_mgmt import KernelDiedError, KernelManagerABC, OutputOverflowError
from kernel_mgmt.classic import AsyncKernelClient
from kernel_mgmt.types import JSONDict

from .conftest import IPYKERNEL, StartFake

pytestmark = pytest.mark.anyio


async def until_idle(client: AsyncKernelClient, msg_id: str) -> list[JSONDict]:
    """What is published for a request, as everybody fetches it."""
    messages: list[JSONDict] = []
    while True:
        message = await client.get_iopub_msg(timeout=30)
        if message["parent_header"].get("msg_id") == msg_id:
            messages.append(message)
            if message["content"].get("execution_state") == "idle":
                return messages


def types_of(messages: list[JSONDict]) -> list[str]:
    return [message["msg_type"] for message in messages]


async def test_what_is_published_and_the_reply_are_fetched(start_client: StartFake) -> None:
    client = await start_client()

    msg_id = client.execute("print a")
    published = await until_idle(client, msg_id)
    reply = await client.get_shell_msg(timeout=30)

    assert types_of(published) == ["status", "execute_input", "stream", "status"]
    assert reply["parent_header"]["msg_id"] == msg_id
    assert reply["content"]["status"] == "ok"


async def test_a_message_is_a_dict_as_jupyter_client_has_it(start_client: StartFake) -> None:
    client = await start_client()

    client.execute("print a")
    message = await client.get_iopub_msg(timeout=30)

    assert set(message) == {
        "header", "msg_id", "msg_type", "parent_header", "metadata", "content", "buffers",
    }  # fmt: skip
    assert message["msg_type"] == message["header"]["msg_type"]
    assert isinstance(message["header"]["date"], datetime)
    assert message["header"]["date"].tzinfo is not None
    assert isinstance(message["parent_header"]["date"], datetime)


async def test_the_first_message_after_readiness_belongs_to_the_first_request(
    start_client: StartFake,
) -> None:
    client = await start_client(argv=IPYKERNEL)

    msg_id = client.execute("1")
    published = await client.get_iopub_msg(timeout=30)
    while not published["parent_header"]:  # a warning, which is nobody's
        published = await client.get_iopub_msg(timeout=30)
    reply = await client.get_shell_msg(timeout=30)

    assert published["parent_header"]["msg_id"] == reply["parent_header"]["msg_id"] == msg_id


@pytest.mark.parametrize("channel", ["shell", "iopub", "stdin", "control"])
@pytest.mark.parametrize("timeout", [0, 0.01])
async def test_a_channel_without_messages_is_empty(
    channel: str, timeout: float, start_client: StartFake
) -> None:
    client = await start_client()
    fetch: Callable[..., Coroutine[Any, Any, JSONDict]] = getattr(client, f"get_{channel}_msg")

    with anyio.fail_after(30), pytest.raises(Empty):
        await fetch(timeout=timeout)

    assert not await getattr(client, f"{channel}_channel").msg_ready()


ASKED: dict[str, Callable[[AsyncKernelClient], Coroutine[Any, Any, JSONDict]]] = {
    "execute": lambda client: client.execute("1", reply=True, timeout=30),
    "complete": lambda client: client.complete("pri", reply=True, timeout=30),
    "inspect": lambda client: client.inspect("print", 2, 1, reply=True, timeout=30),
    "history": lambda client: client.history(reply=True, timeout=30),
    "kernel_info": lambda client: client.kernel_info(reply=True, timeout=30),
    "comm_info": lambda client: client.comm_info(reply=True, timeout=30),
    "is_complete": lambda client: client.is_complete("1", reply=True, timeout=30),
    "shutdown": lambda client: client.shutdown(reply=True, timeout=30),
}


@pytest.mark.parametrize("kind", ASKED)
async def test_a_request_gives_its_reply_where_that_is_asked_for(
    kind: str, start_client: StartFake
) -> None:
    client = await start_client()

    reply = await ASKED[kind](client)

    assert reply["msg_type"] == f"{kind}_reply"
    assert not await client.shell_channel.msg_ready()


async def test_what_kernel_info_causes_is_fetched_like_anything_else(
    start_client: StartFake,
) -> None:
    client = await start_client()

    msg_id = client.kernel_info()
    published = await until_idle(client, msg_id)
    reply = await client.get_shell_msg(timeout=30)

    assert types_of(published) == ["status", "status"]
    assert reply["parent_header"]["msg_id"] == msg_id


async def test_waiting_for_a_reply_leaves_those_of_others(start_client: StartFake) -> None:
    client = await start_client()

    earlier = client.execute("print a")
    await client.kernel_info(reply=True, timeout=30)
    reply = await client.get_shell_msg(timeout=30)

    assert reply["parent_header"]["msg_id"] == earlier


async def test_a_reply_that_came_before_it_was_awaited_is_given_once(
    start_client: StartFake,
) -> None:
    client = await start_client()

    pending = client.execute("1", reply=True, timeout=30)
    later = await client.kernel_info(reply=True, timeout=30)
    reply = await pending

    assert (later["msg_type"], reply["msg_type"]) == ("kernel_info_reply", "execute_reply")
    assert not await client.shell_channel.msg_ready()


async def test_one_that_fetches_takes_no_reply_that_another_waits_for(
    start_client: StartFake,
) -> None:
    client = await start_client()
    asked: list[str] = []
    fetched: list[str] = []

    async def fetch() -> None:
        fetched.append((await client.get_shell_msg(timeout=30))["parent_header"]["msg_id"])

    # Either of the two may be the first to learn of the reply, each time anew.
    for _ in range(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch)
            await anyio.wait_all_tasks_blocked()
            await client.execute("result 1", reply=True, timeout=30)
            asked.append(client.is_complete("1"))

    assert fetched == asked


async def test_a_reply_that_comes_too_late_may_still_be_fetched(start_client: StartFake) -> None:
    client = await start_client()

    with pytest.raises(TimeoutError):
        await client.execute("sleep 0.3", reply=True, timeout=0.01)
    reply = await client.get_shell_msg(timeout=30)

    assert reply["content"]["status"] == "ok"


# jupyter_client polls, then receives without a limit: one of the two would wait for ever.
async def test_of_two_that_fetch_one_gets_the_message_and_the_other_is_told_in_time(
    start_client: StartFake,
) -> None:
    client = await start_client()
    outcomes: list[object] = []

    async def fetch() -> None:
        try:
            outcomes.append((await client.get_shell_msg(timeout=1))["msg_type"])
        except Empty:
            outcomes.append(Empty)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch)
            tasks.start_soon(fetch)
            client.execute("1")

    assert sorted(outcomes, key=str) == [Empty, "execute_reply"]


async def test_many_that_fetch_share_the_messages(start_client: StartFake) -> None:
    client = await start_client()
    fetched: list[str] = []
    asked: list[str] = []

    async def fetch() -> None:
        fetched.append((await client.get_shell_msg(timeout=30))["parent_header"]["msg_id"])

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(fetch)
            asked += [client.is_complete("1") for _ in range(20)]

    assert sorted(fetched) == sorted(asked)


async def test_waiting_for_readiness_takes_nothing_from_earlier_requests(
    start_client: StartFake,
) -> None:
    client = await start_client()

    msg_id = client.execute("print a")
    await client.wait_for_ready(30)
    published = await until_idle(client, msg_id)
    reply = await client.get_shell_msg(timeout=30)

    assert types_of(published) == ["status", "execute_input", "stream", "status"]
    assert reply["parent_header"]["msg_id"] == msg_id
    assert not await client.shell_channel.msg_ready()


async def test_a_kernel_that_ends_before_it_is_ready_says_why(start_client: StartFake) -> None:
    client = await start_client("--stderr", "no licence", "--exit-at-start", "3", ready=False)

    with pytest.raises(RuntimeError, match=r"(?s)exit code 3.*no licence") as caught:
        await client.wait_for_ready(30)

    assert isinstance(caught.value.__cause__, KernelDiedError)


async def test_a_kernel_that_is_not_ready_in_time_is_a_runtime_error(
    start_client: StartFake,
) -> None:
    client = await start_client("--slow-start", "60", ready=False)

    with pytest.raises(RuntimeError, match=r"within 0\.05 s"):
        await client.wait_for_ready(0.05)


async def test_output_that_nobody_fetches_is_kept(start_client: StartFake) -> None:
    client = await start_client()

    msg_id = client.execute("flood 5000 2000")
    with anyio.fail_after(120):
        await client.get_shell_msg()
        published = await until_idle(client, msg_id)

    assert types_of(published).count("stream") == 5000


async def test_more_output_than_may_wait_is_told_and_the_rest_goes_on(
    start_client: StartFake,
) -> None:
    client = await start_client(output_limit=20_000)
    told = False

    msg_id = client.execute("flood 200 1000")
    await client.get_shell_msg(timeout=30)
    with anyio.fail_after(30):
        while not told:
            try:
                await until_idle(client, msg_id)
            except OutputOverflowError:
                told = True
    reply = await client.execute("print b", reply=True, timeout=30)

    assert reply["content"]["status"] == "ok"


async def test_a_fetch_without_a_limit_ends_with_the_kernel(start_client: StartFake) -> None:
    client = await start_client()

    client.execute("kill")
    with anyio.fail_after(30), pytest.raises(KernelDiedError):
        await client.get_shell_msg()


async def test_a_fetch_with_a_limit_is_empty_also_when_the_kernel_has_died(
    start_client: StartFake,
) -> None:
    client = await start_client()

    with pytest.raises(KernelDiedError):
        await client.execute("kill", reply=True, timeout=30)
    with pytest.raises(Empty):
        await client.get_shell_msg(timeout=0.01)

    assert not await client.is_alive()


async def test_code_shows_what_it_publishes_and_leaves_the_channels_alone(
    start_client: StartFake,
) -> None:
    client = await start_client()
    shown: list[JSONDict] = []
    earlier = client.execute("print a")

    reply = await client.execute_interactive("print b", output_hook=shown.append, timeout=30)
    published = await until_idle(client, earlier)
    earlier_reply = await client.get_shell_msg(timeout=30)

    assert types_of(shown) == ["status", "execute_input", "stream", "status"]
    assert reply["parent_header"]["msg_id"] != earlier
    assert "stream" in types_of(published)
    assert earlier_reply["parent_header"]["msg_id"] == earlier
    assert not await client.iopub_channel.msg_ready()
    assert not await client.shell_channel.msg_ready()


async def test_a_hook_answers_for_input(start_client: StartFake) -> None:
    client = await start_client()
    shown: list[JSONDict] = []

    async def answer(message: JSONDict) -> None:
        await anyio.lowlevel.checkpoint()
        client.input(f"answer to {message['content']['prompt']}")

    await client.execute_interactive(
        "input name", stdin_hook=answer, output_hook=shown.append, timeout=30
    )
    (result,) = (message for message in shown if message["msg_type"] == "execute_result")

    assert result["content"]["data"]["text/plain"] == "answer to name"


# jupyter_client never returns from this.
async def test_a_kernel_that_dies_while_it_runs_code_is_told(start_client: StartFake) -> None:
    client = await start_client()

    with anyio.fail_after(30), pytest.raises(KernelDiedError):
        await client.execute_interactive("kill", output_hook=lambda message: None)


async def test_code_that_takes_too_long_raises_and_its_reply_may_be_fetched(
    start_client: StartFake,
) -> None:
    client = await start_client()

    with pytest.raises(TimeoutError):
        await client.execute_interactive("sleep 0.3", timeout=0.01)
    reply = await client.get_shell_msg(timeout=30)

    assert reply["msg_type"] == "execute_reply"


async def test_output_is_printed_where_there_is_no_hook(
    start_client: StartFake, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await start_client()

    await client.execute_interactive("print a", timeout=30)

    assert capsys.readouterr().out == "a\n"


async def test_input_is_asked_for_and_answered_by_hand(start_client: StartFake) -> None:
    client = await start_client()

    client.execute("input name")
    request = await client.get_stdin_msg(timeout=30)
    client.input("me")
    reply = await client.get_shell_msg(timeout=30)

    assert request["content"] == {"prompt": "name", "password": False}
    assert reply["content"]["status"] == "ok"


async def test_code_may_not_ask_where_stdin_was_not_started(start_client: StartFake) -> None:
    client = await start_client()
    client.stop_channels()
    client.start_channels(stdin=False)

    await client.wait_for_ready(30)
    reply = await client.execute("input name", reply=True, timeout=30)

    assert reply["content"]["status"] == "error"
    assert not client.stdin_channel.is_alive()


async def test_a_message_made_by_hand_is_sent(start_client: StartFake) -> None:
    client = await start_client()

    message = client.session.msg("kernel_info_request", metadata={"a": 1})
    client.shell_channel.send(message)
    reply = await client.get_shell_msg(timeout=30)

    assert reply["msg_type"] == "kernel_info_reply"
    assert reply["parent_header"]["msg_id"] == message["msg_id"]
    assert reply["parent_header"]["session"] == client.session.session


async def test_channels_run_from_start_to_stop_and_again(start_client: StartFake) -> None:
    client = await start_client()
    channels = ["shell", "iopub", "stdin", "control", "hb"]

    def alive() -> list[bool]:
        return [getattr(client, f"{name}_channel").is_alive() for name in channels]

    started = alive(), client.channels_running
    client.stop_channels()
    stopped = alive(), client.channels_running
    client.start_channels()
    await client.wait_for_ready(30)
    reply = await client.execute("result 1", reply=True, timeout=30)

    assert started == ([True] * 5, True)
    assert stopped == ([False] * 5, False)
    assert reply["content"]["status"] == "ok"


async def test_a_channel_that_was_not_started_keeps_nothing_until_it_is_used(
    start_client: StartFake,
) -> None:
    client = await start_client()
    client.iopub_channel.stop()

    await client.execute("print a", reply=True, timeout=30)
    client.iopub_channel.start()
    published = await until_idle(client, client.execute("print b"))

    assert [m["content"]["text"] for m in published if m["msg_type"] == "stream"] == ["b\n"]


async def test_stopped_channels_are_named_to_those_who_use_them(start_client: StartFake) -> None:
    client = await start_client()

    async with anyio.create_task_group() as tasks:

        async def fetch() -> None:
            with pytest.raises(RuntimeError, match="start_channels"):
                await client.get_shell_msg()

        tasks.start_soon(fetch)
        await anyio.lowlevel.checkpoint()
        client.stop_channels()

    with pytest.raises(RuntimeError, match="start_channels"):
        client.execute("1")


async def test_a_client_that_was_not_started_starts_at_its_first_use(
    start_client: StartFake,
) -> None:
    owner = await start_client()
    client = AsyncKernelClient(**owner.get_connection_info())

    msg_id = client.execute("print a")
    reply = await client.get_shell_msg(timeout=30)
    running = client.channels_running
    client.stop_channels()

    assert reply["parent_header"]["msg_id"] == msg_id
    assert running


async def test_all_that_waits_is_fetched_at_once(start_client: StartFake) -> None:
    client = await start_client()

    await client.execute("print a", reply=True, timeout=30)
    await client.kernel_info(reply=True, timeout=30)
    messages = await client.iopub_channel.get_msgs()

    assert "stream" in types_of(messages)
    assert await client.iopub_channel.get_msgs() == []


async def test_the_heartbeat_tells_of_a_kernel_that_is_nobodys_child(
    start_client: StartFake,
) -> None:
    owner = await start_client(argv=IPYKERNEL)
    manager = owner.parent
    assert isinstance(manager, KernelManagerABC)
    client = AsyncKernelClient(**owner.get_connection_info())
    client.start_channels()
    await client.wait_for_ready(30)

    alive = await client.is_alive(), client.hb_channel.is_beating()
    await manager.signal(SIGSTOP)
    with anyio.fail_after(30):
        while client.hb_channel.is_beating():
            await anyio.sleep(0.01)
    dead = await client.is_alive()
    await manager.signal(SIGCONT)
    client.hb_channel.pause()
    paused = client.hb_channel.is_beating()
    client.stop_channels()

    assert alive == (True, True)
    assert not dead
    assert not paused


async def test_a_client_follows_to_the_next_kernel_and_keeps_what_waits(
    start_client: StartFake,
) -> None:
    client, other = await start_client(), await start_client()
    manager = other.parent
    assert isinstance(manager, KernelManagerABC)

    msg_id = client.execute("print a")
    while not await client.shell_channel.msg_ready():
        await anyio.sleep(0.001)
    client.follow(manager.connection_info, manager)
    await client.wait_for_ready(30)
    reply = await client.execute("print b", reply=True, timeout=30)
    waiting = await client.get_shell_msg(timeout=30)

    assert reply["content"]["status"] == "ok"
    assert waiting["parent_header"]["msg_id"] == msg_id
    assert client.ports == other.ports


@pytest.mark.parametrize("switches", [(), ("--late-iopub", "0.5", "--no-welcome")])
async def test_a_client_that_follows_misses_nothing_that_its_first_request_publishes(
    switches: tuple[str, ...], start_client: StartFake
) -> None:
    client = await start_client()
    other = await start_client(*switches, ready=False)
    manager = other.parent
    assert isinstance(manager, KernelManagerABC)

    client.follow(manager.connection_info, manager)
    client.execute("print a")
    published: list[str] = []
    while published[-2:] != ["stream", "status"]:
        published.append((await client.get_iopub_msg(timeout=30))["msg_type"])

    assert published == ["status", "execute_input", "stream", "status"]


async def test_a_client_that_nobody_holds_closes(start_client: StartFake) -> None:
    owner = await start_client()
    client = AsyncKernelClient(**owner.get_connection_info())
    client.start_channels()
    await client.wait_for_ready(30)
    gone = ref(client)
    # A cycle, as an object of the program may have: it is collected where the test looks.
    client.parent = client

    del client
    with pytest.warns(ResourceWarning, match="was not closed"):
        gc.collect()

    assert gone() is None


async def test_use_in_another_loop_is_refused(start_client: StartFake) -> None:
    client = await start_client()

    def elsewhere() -> str:
        return client.execute("1")

    with pytest.raises(RuntimeError, match="event loop of its first use"):
        await anyio.to_thread.run_sync(elsewhere)


def test_channels_that_are_started_without_an_event_loop_connect_at_first_use() -> None:
    from .test_settings import INFO

    client = AsyncKernelClient(**INFO)
    client.start_channels()

    assert client.channels_running
    client.stop_channels()
