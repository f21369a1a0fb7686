from __future__ import annotations

from contextlib import suppress

import anyio
import pytest

from kernel_mgmt import Message, OutputOverflowError
from kernel_mgmt.classic._mailbox import Mailbox
from kernel_mgmt.messages import MessageFactory


def message(size: int = 0, parent: str = "p") -> Message:
    content = {"text": "x" * size}
    return Message(
        "iopub", MessageFactory().make("stream", content, parent_header={"msg_id": parent})[1]
    )


def open_mailbox(limit: int = 1_000_000) -> Mailbox:
    mailbox = Mailbox(limit)
    mailbox.is_open = True
    return mailbox


def test_messages_are_taken_in_their_order() -> None:
    mailbox = open_mailbox()
    first, second = message(), message()

    mailbox.put(first)
    mailbox.put(second)

    assert [mailbox.take(), mailbox.take(), mailbox.take()] == [first, second, None]


def test_too_much_is_let_go_of_and_told_once() -> None:
    mailbox = open_mailbox(10_000)
    late = message()

    mailbox.put(message())
    mailbox.put(message(20_000))
    mailbox.put(late)
    waits = bool(mailbox)
    with pytest.raises(OutputOverflowError):
        mailbox.take()

    assert waits
    assert [mailbox.take(), mailbox.take()] == [late, None]


def test_what_has_been_taken_does_not_count() -> None:
    mailbox = open_mailbox(10_000)

    taken: list[Message | None] = []
    for _ in range(10):
        mailbox.put(message(5000))
        taken.append(mailbox.take())

    assert None not in taken


def test_what_was_let_go_of_does_not_count() -> None:
    mailbox = open_mailbox(10_000)

    for _ in range(10):
        mailbox.put(message(5000))
        mailbox.keep(lambda kept: False)

    assert mailbox.take() is None


def test_what_is_claimed_is_put_in_only_if_the_claim_fails() -> None:
    mailbox = open_mailbox()
    claimed, other = message(parent="mine"), message()

    with mailbox.claim("mine"):
        mailbox.put(claimed)
        mailbox.put(other)
    kept = [mailbox.take(), mailbox.take()]
    with suppress(ZeroDivisionError), mailbox.claim("mine"):
        mailbox.put(claimed)
        raise ZeroDivisionError

    assert kept == [other, None]
    assert [mailbox.take(), mailbox.take()] == [claimed, None]


def test_nothing_is_taken_in_for_what_is_ignored() -> None:
    mailbox = open_mailbox()
    late = message(parent="mine")

    with mailbox.ignore("mine"):
        mailbox.put(message(parent="mine"))
    mailbox.put(late)

    assert [mailbox.take(), mailbox.take()] == [late, None]


def test_a_certain_message_is_taken_out() -> None:
    mailbox = open_mailbox()
    first, second = message(), message()
    mailbox.put(first)
    mailbox.put(second)

    mailbox.remove(first)
    mailbox.remove(first)

    assert [mailbox.take(), mailbox.take()] == [second, None]


def test_a_closed_mailbox_takes_nothing_in() -> None:
    mailbox = Mailbox(1000)

    mailbox.put(message())

    assert not mailbox


@pytest.mark.anyio
async def test_one_that_is_cancelled_as_a_message_comes_takes_none() -> None:
    mailbox = open_mailbox()
    first = message()
    fetched: list[Message] = []

    async def fetch() -> None:
        fetched.append(await mailbox.get(lambda: None))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch)
            await anyio.wait_all_tasks_blocked()
            mailbox.put(first)
            tasks.cancel_scope.cancel()
        if not fetched:
            await fetch()

    assert fetched == [first]


@pytest.mark.anyio
async def test_of_two_that_wait_the_other_gets_what_one_leaves() -> None:
    mailbox = open_mailbox()
    first = message()
    fetched: list[Message] = []

    async def fetch() -> None:
        fetched.append(await mailbox.get(lambda: None))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(fetch)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(fetch)
                await anyio.wait_all_tasks_blocked()
                mailbox.put(first)
                leaving.cancel_scope.cancel()
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    assert fetched == [first]


@pytest.mark.anyio
async def test_those_who_wait_check_when_they_are_told() -> None:
    mailbox = open_mailbox()
    ended = False

    def check() -> None:
        if ended:
            raise ZeroDivisionError

    async def fetch() -> None:
        with pytest.raises(ZeroDivisionError):
            await mailbox.get(check)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch)
            await anyio.wait_all_tasks_blocked()
            ended = True
            mailbox.notify()
