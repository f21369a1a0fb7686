from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable
from signal import SIGKILL

import anyio
import pytest

from kernel_mgmt import (
    BlockingKernelClient,
    ClientClosedError,
    KernelClient,
    KernelDiedError,
    Message,
    Request,
)

from .conftest import StartFake

pytestmark = pytest.mark.anyio


async def texts(request: Request) -> list[str]:
    """What the request writes to its streams."""
    return [message.content["text"] async for message in request if message.msg_type == "stream"]


async def test_an_awaited_request_gives_its_reply(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        reply = await client.execute("result 42")

    assert (reply.msg_type, reply.content["status"]) == ("execute_reply", "ok")


async def test_an_iterated_request_gives_what_was_published_for_it_to_idle(
    start_fake: StartFake,
) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        types = [message.msg_type async for message in client.execute("print a\nresult b")]

    assert types == ["status", "execute_input", "stream", "execute_result", "status"]


async def test_outputs_are_complete_when_the_reply_is_given(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("flood 500 10")

    with anyio.fail_after(30):
        await request
        found = await texts(request)

    assert len(found) == 500


async def test_a_reply_that_came_before_the_next_request_was_sent_is_seen(
    start_fake: StartFake,
) -> None:
    client = await start_fake("--mute", "complete_request")
    asked = client.kernel_info()

    # This holds the loop of the client until the reply has come. The next request takes the edge of
    # the descriptor, and is not answered.
    with BlockingKernelClient(client.connection_info) as other:
        other.kernel_info(timeout=30)
    client.complete("a")
    with anyio.fail_after(30):
        reply = await asked

    assert reply.msg_type == "kernel_info_reply"


async def test_an_error_is_returned_and_not_raised(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        reply = await client.execute("raise ValueError nonsense")

    assert (reply.content["status"], reply.content["ename"]) == ("error", "ValueError")


async def test_requests_of_many_tasks_share_a_client(start_fake: StartFake) -> None:
    client = await start_fake()
    found: dict[int, list[str]] = {}

    async def ask(number: int) -> None:
        found[number] = await texts(client.execute(f"print {number}"))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(ask, number)

    assert found == {number: [f"{number}\n"] for number in range(50)}


async def test_a_request_may_be_awaited_by_several_tasks_and_again(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("sleep 0.05")
    replies: list[Message] = []

    async def wait() -> None:
        replies.append(await request)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
        replies.append(await request)

    assert len(replies) == 3
    assert len(set(map(id, replies))) == 1


async def test_a_cancelled_wait_loses_nothing(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("print a\nsleep 0.2\nprint b")
    found: list[str] = []

    with anyio.fail_after(30):
        while len(found) < 2:
            with anyio.move_on_after(0.005):
                async for message in request:
                    if message.msg_type == "stream":
                        found.append(message.content["text"])
        reply = await request

    assert found == ["a\n", "b\n"]
    assert reply.content["status"] == "ok"


async def test_the_death_of_the_kernel_fails_what_is_pending(start_fake: StartFake) -> None:
    client = await start_fake()
    requests = [client.execute("print last\nkill"), client.execute("result 1")]

    with anyio.fail_after(30):
        with pytest.raises(KernelDiedError) as first:
            await requests[0]
        with pytest.raises(KernelDiedError):
            await requests[1]
        with pytest.raises(KernelDiedError):
            await client.execute("result 2")

    assert first.value.exit_status is not None
    assert first.value.exit_status.signal == SIGKILL


async def test_what_a_kernel_sent_before_its_death_still_arrives(start_fake: StartFake) -> None:
    client = await start_fake()
    found: list[str] = []

    async def collect() -> None:
        async for message in client.execute("print last words\nexit 3"):
            if message.msg_type == "stream":
                found.append(message.content["text"])

    with anyio.fail_after(30), pytest.raises(KernelDiedError):
        await collect()

    assert found == ["last words\n"]


async def test_closing_fails_what_is_pending_with_another_error(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("sleep 10")

    client.close()
    client.close()

    with anyio.fail_after(30):
        with pytest.raises(ClientClosedError):
            await request
        with pytest.raises(ClientClosedError):
            await client.kernel_info()


async def test_death_is_a_reply_to_a_shutdown_request(start_fake: StartFake) -> None:
    client = await start_fake("--mute", "shutdown_request")
    assert client.manager is not None
    request = client.shutdown()

    with anyio.fail_after(30):
        await client.manager.kill()
        first = await request
        again = await client.shutdown(restart=True)

    assert first.content == {"status": "ok", "restart": False}
    assert again.content == {"status": "ok", "restart": True}


@pytest.mark.parametrize(
    ("switches", "stage"),
    [((), "shutdown"), (("--ignore-shutdown",), "terminated")],
)
async def test_a_kernel_is_ended_in_stages(
    start_fake: StartFake, switches: tuple[str, ...], stage: str
) -> None:
    client = await start_fake(*switches)
    assert client.manager is not None

    with anyio.fail_after(30):
        ended = await client.shutdown_or_terminate(0.3 if switches else 5)
        again = await client.shutdown_or_terminate(0.3)

    assert (ended, again) == (stage, "dead")
    assert not await client.manager.is_alive()


async def test_a_cancelled_shutdown_still_ends_the_kernel(start_fake: StartFake) -> None:
    client = await start_fake("--ignore-shutdown", "--ignore-sigterm")
    assert client.manager is not None

    with anyio.fail_after(30), anyio.move_on_after(0.05):
        await client.shutdown_or_terminate(60)

    assert not await client.manager.is_alive()


async def test_ending_a_kernel_takes_its_manager(start_fake: StartFake) -> None:
    client = await start_fake()
    async with KernelClient(client.connection_info) as stranger:
        with pytest.raises(RuntimeError, match="no manager"):
            await stranger.shutdown_or_terminate()

        assert not stranger.owned_kernel


@pytest.mark.parametrize(
    "switches",
    [
        (),
        ("--no-welcome", "--late-iopub", "0.3"),
        ("--no-welcome", "--null-parent", "--bare-kernel-info", "--no-stdin"),
    ],
    ids=" ".join,
)
async def test_nothing_is_missed_once_a_kernel_is_ready(
    start_fake: StartFake, switches: tuple[str, ...]
) -> None:
    client = await start_fake(*switches)

    with anyio.fail_after(30):
        found = await texts(client.execute("print a"))

    assert found == ["a\n"]
    assert client.kernel_info_dict is not None


async def test_a_kernel_that_ends_before_it_is_ready_says_how(start_fake: StartFake) -> None:
    client = await start_fake("--stderr", "no licence", "--exit-at-start", "3", ready=False)

    with anyio.fail_after(30), pytest.raises(KernelDiedError, match="no licence") as caught:
        await client.wait_for_ready()

    assert caught.value.exit_status is not None
    assert caught.value.exit_status.code == 3


async def test_waiting_for_a_kernel_that_is_never_ready_ends_in_time(
    start_fake: StartFake,
) -> None:
    client = await start_fake("--slow-start", "60", ready=False)

    with anyio.fail_after(30), pytest.raises(TimeoutError):
        await client.wait_for_ready(0.1)


async def test_iterating_over_a_shutdown_ends_with_the_kernel(start_fake: StartFake) -> None:
    client = await start_fake("--never-idle")
    request = client.shutdown()

    with anyio.fail_after(30):
        await request
        types = [message.msg_type async for message in request]

    assert types[0] == "status"
    assert not request.incomplete


async def test_a_name_that_is_no_text_reaches_the_kernel(start_fake: StartFake) -> None:
    owner = await start_fake()

    async with KernelClient(owner.connection_info, username="\udc80") as client:
        await client.wait_for_ready(30)
        reply = await client.kernel_info()

    assert reply.parent_header["username"] == "\udc80"


async def test_a_reply_without_idle_is_given_and_marked(start_fake: StartFake) -> None:
    client = await start_fake("--never-idle")
    request = client.execute("result 1")

    with anyio.fail_after(30):
        reply = await request

    assert reply.content["status"] == "ok"
    assert request.incomplete


async def test_handlers_see_the_messages_of_their_channels(start_fake: StartFake) -> None:
    client = await start_fake()
    seen: list[str] = []

    def note(message: Message) -> None:
        seen.append(message.msg_type)

    client.add_handler(note, "shell")
    with anyio.fail_after(30):
        await client.execute("print a")
        client.add_handler(note, ["iopub"])
        await client.execute("print a", silent=True)
        client.remove_handler(note)
        await client.execute("print a")

    assert seen.count("execute_reply") == 2
    assert seen.count("stream") == 1


async def test_a_handler_that_raises_is_logged_and_hurts_nobody(
    start_fake: StartFake, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start_fake()

    def fail(message: Message) -> None:
        raise ValueError("mine")

    client.add_handler(fail)
    with anyio.fail_after(30):
        found = await texts(client.execute("print a"))

    assert found == ["a\n"]
    assert any("handler of iopub" in record.message for record in caplog.records)


async def test_an_unknown_channel_is_named(start_fake: StartFake) -> None:
    client = await start_fake(ready=False)

    with pytest.raises(ValueError, match="'stdout'"):
        client.add_handler(print, "stdout")  # type: ignore[arg-type]


async def test_input_is_asked_for_where_somebody_can_answer(start_fake: StartFake) -> None:
    client = await start_fake()

    def answer(message: Message) -> None:
        client.input(message.content["prompt"].upper(), message)

    client.add_handler(answer, "stdin")
    with anyio.fail_after(30):
        results = [
            message.content["data"]["text/plain"]
            async for message in client.execute("input name")
            if message.msg_type == "execute_result"
        ]

    assert results == ["NAME"]


async def test_input_with_nobody_to_answer_fails_at_once(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        reply = await client.execute("input name")

    assert reply.content["status"] == "error"


async def test_what_a_comm_asks_for_is_answered(start_fake: StartFake) -> None:
    client = await start_fake()
    answered = anyio.Event()
    answers: list[Message] = []

    def answer(message: Message) -> None:
        client.input("me", message)

    def note(message: Message) -> None:
        if message.msg_type == "comm_msg":
            answers.append(message)
            answered.set()

    client.add_handler(answer, "stdin")
    client.add_handler(note)
    client.comm_open("c", "input")
    client.comm_msg("c", {"prompt": "name"})
    with anyio.fail_after(30):
        await answered.wait()

    assert answers[0].content["data"] == {"value": "me"}


async def test_an_interrupt_stops_what_runs(start_fake: StartFake) -> None:
    client = await start_fake()
    request = client.execute("print a\nsleep 60")

    with anyio.fail_after(30):
        async for message in request:
            if message.msg_type == "stream":
                await client.interrupt()
        reply = await request

    assert reply.content["status"] == "error"


async def test_a_client_that_nobody_closed_warns_and_closes(start_fake: StartFake) -> None:
    owner = await start_fake()
    clients = [KernelClient(owner.connection_info)]
    with anyio.fail_after(30):
        await clients[0].kernel_info()

    with pytest.warns(ResourceWarning, match="was not closed"):
        clients.clear()
    await anyio.wait_all_tasks_blocked()


async def test_a_client_that_nobody_closed_closes_where_warnings_are_errors(
    start_fake: StartFake, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await start_fake()
    await owner.kernel_info(channel="control")
    raised: list[sys.UnraisableHookArgs] = []
    monkeypatch.setattr(sys, "unraisablehook", raised.append)

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    clients = [KernelClient(owner.connection_info)]
    with anyio.fail_after(30):
        await clients[0].kernel_info()
        clients.clear()

        while descriptors() > before:
            await anyio.sleep(0.01)

    assert [item.exc_type for item in raised] == [ResourceWarning]


async def test_a_forked_child_that_closes_leaves_its_parent_alone(start_fake: StartFake) -> None:
    client = await start_fake()

    with warnings.catch_warnings():
        # Newer Pythons warn of threads, such as those of ZeroMQ.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            client.close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    with anyio.fail_after(30):
        reply = await client.kernel_info()

    assert reply.content["status"] == "ok"


USES: dict[str, Callable[[KernelClient], object]] = {
    "kernel_info": lambda client: client.kernel_info(),
    "close": lambda client: client.close(),
    "reconnect": lambda client: client.reconnect(client.connection_info),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
async def test_use_from_another_thread_is_refused_and_does_no_harm(
    use: Callable[[KernelClient], object], start_fake: StartFake
) -> None:
    client = await start_fake()

    with anyio.fail_after(30):
        with pytest.raises(RuntimeError, match="event loop of its first use"):
            await anyio.to_thread.run_sync(use, client)
        reply = await client.kernel_info()

    assert reply.content["status"] == "ok"


def test_use_without_an_event_loop_is_refused() -> None:
    client = KernelClient(
        {
            "transport": "tcp",
            "shell_port": 1,
            "iopub_port": 2,
            "stdin_port": 3,
            "control_port": 4,
            "key": "k",
        }
    )

    with pytest.raises(RuntimeError):
        client.kernel_info()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"transport": "carrier-pigeon"}, "carrier-pigeon"),
        ({"key": ""}, "no key"),
        ({"signature_scheme": "hmac-rot13"}, "hmac-rot13"),
        ({"iopub_port": 0}, "iopub_port"),
    ],
)
def test_a_connection_info_that_is_unusable_is_refused(
    change: dict[str, object], named: str
) -> None:
    info = {"transport": "tcp", "key": "k", **dict.fromkeys(PORTS, 5)}

    with pytest.raises(ValueError, match=named):
        KernelClient({**info, **change})  # type: ignore[typeddict-item]


PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port")


async def test_messages_with_another_key_are_dropped_and_counted(
    start_fake: StartFake, caplog: pytest.LogCaptureFixture
) -> None:
    owner = await start_fake()
    info = {**owner.connection_info, "key": "another"}

    with caplog.at_level(logging.WARNING):
        async with KernelClient(info) as client:  # type: ignore[arg-type]
            with pytest.raises(TimeoutError):
                await client.wait_for_ready(0.3)

    dropped = [record for record in caplog.records if "wrong signature" in record.message]
    assert len(dropped) == 1
