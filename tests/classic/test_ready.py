from __future__ import annotations

from collections.abc import Callable
from threading import Thread

import anyio
import pytest

from kernel_mgmt.classic._ready import Ready


def fail(ready: Ready) -> None:
    ready.set_exception(ZeroDivisionError())


def succeed(ready: Ready) -> None:
    ready.set_result(None)


async def awaited(ready: Ready) -> str:
    try:
        await ready
    except ZeroDivisionError:
        return "failed"
    return "done"


@pytest.mark.anyio
@pytest.mark.parametrize(("settle", "outcome"), [(succeed, "done"), (fail, "failed")])
async def test_a_task_of_any_loop_waits_for_what_another_thread_does(
    settle: Callable[[Ready], None], outcome: str
) -> None:
    ready = Ready()
    thread = Thread(target=settle, args=(ready,))
    outcomes: list[str] = []

    async def wait() -> None:
        outcomes.append(await awaited(ready))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            thread.start()
    thread.join()

    assert outcomes == [outcome, outcome]
    assert ready.done()


@pytest.mark.anyio
async def test_what_is_done_is_awaited_again() -> None:
    ready = Ready()
    ready.set_result(None)

    outcomes = [await awaited(ready), await awaited(ready)]

    assert outcomes == ["done", "done"]


@pytest.mark.anyio
async def test_a_task_that_is_cancelled_disturbs_nobody() -> None:
    ready = Ready()

    with anyio.move_on_after(0.01):
        await ready
    ready.set_result(None)
    outcome = await awaited(ready)

    assert outcome == "done"


def test_a_thread_waits_for_the_result() -> None:
    ready = Ready()
    thread = Thread(target=fail, args=(ready,))

    thread.start()
    with pytest.raises(ZeroDivisionError):
        ready.result(30)
    thread.join()

    assert isinstance(ready.exception(), ZeroDivisionError)


def test_nobody_cancels_what_was_begun() -> None:
    ready = Ready()

    cancelled = ready.cancel()
    ready.set_result(None)

    assert not cancelled
    assert not ready.cancelled()
