"""The order of the operations on one kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest

from kernel_mgmt import KernelStateError
from kernel_mgmt.jupyter._operations import Operations, wait_for

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests on asyncio alone: jupyter_client knows no other."""
    return "asyncio"


class Work:
    """Takes note of the order in which it is done; it goes on until it may end."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.may_end = asyncio.Event()

    def of(self, name: str) -> Callable[[], Awaitable[None]]:
        async def work() -> None:
            self.begun.append(name)
            await self.may_end.wait()

        return work


async def test_who_waits_behind_one_that_is_cancelled_does_not_pass_those_before_it() -> None:
    operations, work = Operations(), Work()
    operations.begin("id", "restart", work.of("first"))
    waiting, _ = operations.begin("id", "start", work.of("cancelled"))
    last, _ = operations.begin("id", "restart", work.of("last"))
    waiting.cancel()
    with anyio.fail_after(30):
        await wait_for(waiting)
        await anyio.wait_all_tasks_blocked()
        begun = list(work.begun)
        work.may_end.set()
        await wait_for(last)

    assert begun == ["first"]
    assert work.begun == ["first", "last"]


async def test_who_asks_for_what_is_under_way_joins_it() -> None:
    operations, work = Operations(), Work()
    first, is_new = operations.begin("id", "shutdown", work.of("first"))
    second, is_new_again = operations.begin("id", "shutdown", work.of("second"))
    work.may_end.set()
    with anyio.fail_after(30):
        await wait_for(first)

    assert (is_new, is_new_again) == (True, False)
    assert second is first
    assert operations.under_way is None


async def test_nothing_follows_a_shutdown_that_is_under_way() -> None:
    operations, work = Operations(), Work()
    ending, _ = operations.begin("id", "shutdown", work.of("shutdown"))
    with pytest.raises(KernelStateError, match="start"):
        operations.begin("id", "start", work.of("start"))
    work.may_end.set()
    with anyio.fail_after(30):
        await wait_for(ending)

    assert work.begun == ["shutdown"]


async def test_it_is_waited_for_in_another_thread_and_loop() -> None:
    operations, work = Operations(), Work()
    operation, _ = operations.begin("id", "start", work.of("start"))

    async def wait_there() -> None:
        waiting = asyncio.create_task(wait_for(operation))
        loop.call_soon_threadsafe(work.may_end.set)
        await waiting

    loop = asyncio.get_running_loop()
    with anyio.fail_after(30):
        await asyncio.to_thread(asyncio.run, wait_there())

    assert operation.ended.done()
