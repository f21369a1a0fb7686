from __future__ import annotations

import anyio
import pytest

from kernel_mgmt import KernelClient, KernelDiedError, Message
from kernel_mgmt.client._interactive import print_output
from kernel_mgmt.messages import MessageFactory

from .conftest import StartFake

pytestmark = pytest.mark.anyio


async def test_output_is_printed_as_at_a_terminal(
    ipykernel: KernelClient, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); 6 * 7"

    with anyio.fail_after(20):
        reply = await ipykernel.execute_interactive(code)
        await ipykernel.execute_interactive("1 / 0")

    printed = capsys.readouterr()
    assert reply.content["status"] == "ok"
    assert printed.out == "out\n42\n"
    assert printed.err.startswith("err\n")
    assert "ZeroDivisionError" in printed.err


def test_what_a_terminal_cannot_show_is_printed_by_its_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, parts = MessageFactory().make("stream", {"name": "stdout", "text": "a\ud800b"})

    print_output(Message("iopub", parts))

    assert capsys.readouterr().out == r"a\ud800b"


async def test_a_hook_takes_the_output_in_place_of_printing(
    start_fake: StartFake, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await start_fake()
    seen: list[str] = []

    async def note(message: Message) -> None:
        await anyio.lowlevel.checkpoint()
        seen.append(message.msg_type)

    with anyio.fail_after(30):
        await client.execute_interactive("print a", output_hook=note)

    assert "stream" in seen
    assert capsys.readouterr().out == ""


async def test_input_is_asked_at_the_terminal(
    start_fake: StartFake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await start_fake()
    monkeypatch.setattr("builtins.input", lambda prompt: f"answer to {prompt}")  # pyright: ignore

    with anyio.fail_after(30):
        await client.execute_interactive("input name")

    assert capsys.readouterr().out == "answer to name\n"


async def test_hooks_answer_for_input_and_passwords(start_fake: StartFake) -> None:
    client = await start_fake()
    asked: list[bool] = []
    outputs: list[str] = []

    def answer(message: Message) -> str:
        asked.append(message.content["password"])
        return "secret"

    def note(message: Message) -> None:
        if message.msg_type == "execute_result":
            outputs.append(message.content["data"]["text/plain"])

    with anyio.fail_after(30):
        await client.execute_interactive("input a", stdin_hook=answer, output_hook=note)
        await client.execute_interactive("password b", stdin_hook=answer, output_hook=note)

    assert asked == [False, True]
    assert outputs == ["secret", "secret"]


async def test_an_interrupt_ends_the_wait_for_input_and_a_late_answer_is_dropped(
    start_fake: StartFake,
) -> None:
    client = await start_fake()
    requests: list[Message] = []
    asked = anyio.Event()
    replies: list[Message] = []

    async def never(message: Message) -> str:
        requests.append(message)
        asked.set()
        await anyio.sleep_forever()
        return ""

    async def interrupt() -> None:
        await asked.wait()
        await client.interrupt()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(interrupt)
            replies.append(await client.execute_interactive("input a", stdin_hook=never))
        client.input("late", requests[0])
        results = await client.execute("input b", allow_stdin=True, interrupt_timeout=0.2).outputs()

    assert replies[0].content["status"] == "error"
    assert all(output["output_type"] == "error" for output in results)


async def test_the_death_of_the_kernel_is_raised_as_it_is(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30), pytest.raises(KernelDiedError):
        await client.execute_interactive("kill")


@pytest.mark.parametrize("code", ["print a", "input a"])
async def test_what_a_hook_raises_is_raised_as_it_is(code: str, start_fake: StartFake) -> None:
    client = await start_fake()

    def fail(message: Message) -> None:
        if message.msg_type in ("stream", "input_request"):
            raise ZeroDivisionError

    with anyio.fail_after(30), pytest.raises(ZeroDivisionError):
        await client.execute_interactive(code, output_hook=fail, stdin_hook=fail)


async def test_code_that_takes_too_long_raises(start_fake: StartFake) -> None:
    client = await start_fake()

    with anyio.fail_after(30), pytest.raises(TimeoutError):
        await client.execute_interactive("sleep 60", timeout=0.1)
