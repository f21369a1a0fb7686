"""Ask many providers at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from ._listing import Found, Listing

if TYPE_CHECKING:
    import anyio

    from ._registered import RegisteredProvider

_PATIENCE = 0.2


def list_all(providers: Iterable[RegisteredProvider], limit: float) -> Iterator[Listing]:
    """Ask all providers at once, and yield what each of them lists.

    They come in their order as long as none takes more than a moment, and then as they are ready.

    :param limit: the seconds that each is given
    """
    progress = threading.Semaphore(0)
    waiting = [Listing(provider, limit) for provider in providers]
    started = monotonic()
    for listing in waiting:
        listing.start(progress.release)
    in_order, until = True, started + min(_PATIENCE, limit)
    while waiting:
        if not progress.acquire(timeout=max(0.0, until - monotonic())):
            if not in_order:
                break
            in_order, until = False, started + limit
        for listing in [*waiting]:
            if listing.ended:
                waiting.remove(listing)
                listing.close()
                yield listing
            elif in_order:
                break
    for listing in waiting:
        listing.close()
        yield listing


async def gather(providers: Iterable[RegisteredProvider], limit: float) -> list[Listing]:
    """Ask all providers at once, and return what each of them lists, in their order.

    :param limit: the seconds that each is given
    """
    import anyio

    listings = [Listing(provider, limit) for provider in providers]
    async with anyio.create_task_group() as tasks:
        for listing in listings:
            tasks.start_soon(listing.complete)
    return listings


@asynccontextmanager
async def stream(
    providers: Iterable[RegisteredProvider],
    limit: float,
    name: Callable[[RegisteredProvider, Found], Found | None],
) -> AsyncGenerator[AsyncIterator[Found]]:
    """Ask all providers at once, and iterate over the kernel types as they come.

    :param limit: the seconds that each is given
    :param name: gives a kernel type its full name, or returns ``None`` if it is not wanted
    """
    import anyio

    arrivals = _Arrivals(name)

    async def ask_all() -> None:
        async with anyio.create_task_group() as tasks:
            for provider in providers:
                tasks.start_soon(Listing(provider, limit, arrivals.add).complete)
        arrivals.end()

    raised: list[BaseException] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask_all)
        try:
            yield arrivals
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:  # noqa: BLE001 - raised below, outside of the task group
            raised.append(error)
        tasks.cancel_scope.cancel()
    if raised:
        raise raised[0]


class _Arrivals(AsyncIterator[Found]):
    """Kernel types, added in any thread and iterated over in one event loop."""

    def __init__(self, name: Callable[[RegisteredProvider, Found], Found | None]) -> None:
        from kernel_mgmt._backend import current_event_loop

        self._loop = current_event_loop()
        self._name = name
        self._arrived: deque[Found] = deque()
        self._changed: anyio.Event | None = None
        self._wake_up_is_due = False
        self._ended = False

    def add(self, listing: Listing, found: Found) -> None:
        named = self._name(listing.provider, found)
        if named is None:
            return
        self._arrived.append(named)
        if not self._wake_up_is_due:
            self._wake_up_is_due = True
            self._loop.call_from_anywhere(self._wake_up)

    def end(self) -> None:
        self._ended = True
        self._wake_up()

    async def __anext__(self) -> Found:
        import anyio

        while not self._arrived:
            if self._ended:
                raise StopAsyncIteration
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._arrived.popleft()

    def _wake_up(self) -> None:
        self._wake_up_is_due = False
        if self._changed is not None:
            self._changed.set()
