"""Functions at work in tasks of their own."""

from __future__ import annotations

import anyio
import pytest

from kernel_mgmt._background import BackgroundTask

pytestmark = pytest.mark.anyio


async def test_a_function_that_is_cancelled_in_the_step_that_begins_it_does_not_begin() -> None:
    begun: list[str] = []

    async def begin() -> None:
        begun.append("without awaiting anything")

    with anyio.fail_after(30):
        task = BackgroundTask(begin)
        task.cancel(ZeroDivisionError())
        with pytest.raises(ZeroDivisionError):
            await task.result()

    assert begun == []


async def test_those_who_wait_are_not_disturbed_by_one_that_is_cancelled() -> None:
    go_on = anyio.Event()

    async def work() -> str:
        await go_on.wait()
        return "done"

    with anyio.fail_after(30):
        task = BackgroundTask(work)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await task.result()
        go_on.set()
        result = await task.result()

    assert scope.cancelled_caught
    assert result == "done"


async def test_a_function_that_is_cancelled_after_its_work_is_done_has_done_it() -> None:
    async def cancel_and_return() -> str:
        task.cancel(ZeroDivisionError())
        return "done"

    with anyio.fail_after(30):
        task = BackgroundTask(cancel_and_return)
        result = await task.result()

    assert result == "done"
