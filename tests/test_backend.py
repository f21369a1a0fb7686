"""How descriptors are read on the event loops."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

import anyio
import pytest

from kernel_mgmt._backend import current_event_loop

pytestmark = pytest.mark.anyio


class Drained:
    """The near end of a pair of sockets, which is read a byte at a time."""

    def __init__(self, when_to_look_again: Callable[[int], float | None]) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.taken = 0
        self.calls = 0
        self._when_to_look_again = when_to_look_again

    def drain(self) -> float | None:
        self.calls += 1
        try:
            self.taken += len(self.near.recv(1))
        except BlockingIOError:
            return None
        return self._when_to_look_again(self.taken)

    async def until_taken(self, count: int) -> None:
        with anyio.fail_after(30):
            while self.taken < count:
                await anyio.sleep(0.001)

    def read(self) -> Callable[[], None]:
        """Read it on the running loop; return a function that looks at it."""
        loop = current_event_loop()
        descriptor = self.near.fileno()
        self.reading = loop.read({descriptor: self.drain}, lambda: None, anyio.lowlevel.checkpoint)
        return lambda: self.reading.look(descriptor)


MakeDrained: TypeAlias = Callable[[Callable[[int], float | None]], Drained]


@pytest.fixture
async def make_drained() -> AsyncIterator[MakeDrained]:
    made: list[Drained] = []

    def make(when_to_look_again: Callable[[int], float | None]) -> Drained:
        made.append(Drained(when_to_look_again))
        return made[-1]

    yield make
    for drained in made:
        drained.reading.stop()
        drained.near.close()
        drained.far.close()


async def test_what_is_readable_is_drained(make_drained: MakeDrained) -> None:
    drained = make_drained(lambda taken: None)
    drained.read()

    drained.far.send(b"a")
    await drained.until_taken(1)
    drained.far.send(b"b")
    await drained.until_taken(2)


async def test_what_has_more_is_drained_on(make_drained: MakeDrained) -> None:
    drained = make_drained(lambda taken: 0)
    drained.read()

    drained.far.send(b"abc")
    await drained.until_taken(3)


async def test_what_rests_is_left_alone_until_it_is_looked_at(
    make_drained: MakeDrained,
) -> None:
    drained = make_drained(lambda taken: 3600)
    look = drained.read()

    drained.far.send(b"ab")
    await drained.until_taken(1)
    for _ in range(3):
        await anyio.wait_all_tasks_blocked()
    taken, calls = drained.taken, drained.calls
    look()
    await drained.until_taken(2)

    assert taken == 1
    assert calls <= 2


async def test_what_rests_is_drained_in_the_end_and_rests_again(
    make_drained: MakeDrained,
) -> None:
    drained = make_drained(lambda taken: 0.001 if taken < 4 else 3600)
    look = drained.read()

    drained.far.send(b"abcde")
    await drained.until_taken(4)
    for _ in range(3):
        await anyio.wait_all_tasks_blocked()
    taken = drained.taken
    look()
    await drained.until_taken(5)

    assert taken == 4


async def test_after_a_rest_without_news_it_is_read_as_before(
    make_drained: MakeDrained,
) -> None:
    drained = make_drained(lambda taken: 0.001 if taken < 3 else None)
    drained.read()

    for count, byte in enumerate((b"a", b"b", b"c", b"d"), 1):
        drained.far.send(byte)
        await drained.until_taken(count)


async def test_a_look_at_what_does_not_rest_yet_keeps_it_from_resting(
    make_drained: MakeDrained,
) -> None:
    drained = make_drained(lambda taken: 3600)
    look = drained.read()

    drained.far.send(b"a")
    await drained.until_taken(1)
    await anyio.wait_all_tasks_blocked()
    look()
    drained.far.send(b"b")
    await drained.until_taken(2)


async def test_what_rests_can_be_stopped(make_drained: MakeDrained) -> None:
    drained = make_drained(lambda taken: 3600)
    look = drained.read()

    drained.far.send(b"ab")
    await drained.until_taken(1)
    await anyio.wait_all_tasks_blocked()
    drained.reading.stop()
    look()
    await anyio.wait_all_tasks_blocked()

    assert drained.taken == 1
