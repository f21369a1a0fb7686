"""Work that is brought to its end though its caller is cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.lowlevel

__all__ = ("finish",)

T = TypeVar("T")


async def finish(function: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Await a function to its end; if the caller is cancelled, for some seconds more at most.

    The cancellation is raised when the function has ended, or could not in time.

    :raises TimeoutError: if the function has not ended some seconds after the cancellation, and the
        caller was not cancelled after all
    """
    results: list[T] = []
    errors: list[Exception] = []
    async with anyio.create_task_group() as tasks:

        async def hurry() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                work.deadline = anyio.current_time() + seconds

        tasks.start_soon(hurry)
        with anyio.CancelScope(shield=True) as work:
            try:
                results.append(await function())
            except Exception as error:  # noqa: BLE001 - raised below, outside of the task group
                errors.append(error)
        tasks.cancel_scope.cancel()
    await anyio.lowlevel.checkpoint_if_cancelled()
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
