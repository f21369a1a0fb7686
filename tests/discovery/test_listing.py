"""Listing what many providers find, whatever some of them do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.types import Problem

from .conftest import MakeProvider

Pair = tuple[str, dict[str, Any]]


def names_of(finder: KernelFinder) -> list[str]:
    return [name for name, _ in finder.find_kernels()]


async def names_of_async(finder: KernelFinder) -> list[str]:
    return [name async for name, _ in finder.find_kernels_async()]


async def names_of_search(finder: KernelFinder) -> list[str]:
    async with finder.search() as kernels:
        return sorted([name async for name, _ in kernels])


def plain() -> Iterator[Pair]:
    yield "x", {}


async def asynchronous() -> AsyncIterator[Pair]:
    await anyio.lowlevel.checkpoint()
    yield "x", {}


def a_list() -> list[Pair]:
    return [("x", {})]


async def coroutine() -> list[Pair]:
    await anyio.lowlevel.checkpoint()
    return [("x", {})]


every_kind = pytest.mark.parametrize("find_kernels", [plain, asynchronous, a_list, coroutine])


def test_the_providers_list_in_the_order_they_are_given(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("b", "y", "x"), make_provider("a", "x")])

    assert names_of(finder) == ["b/y", "b/x", "a/x"]


@every_kind
def test_a_listing_takes_every_kind_of_find_kernels(
    make_provider: MakeProvider, find_kernels: Callable[[], Any]
) -> None:
    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)])

    assert names_of(finder) == ["a/x"]
    assert finder.problems == ()


@every_kind
@pytest.mark.anyio
async def test_an_asynchronous_listing_takes_every_kind_of_find_kernels(
    make_provider: MakeProvider, find_kernels: Callable[[], Any]
) -> None:
    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)])

    assert await names_of_async(finder) == ["a/x"]
    assert await names_of_search(finder) == ["a/x"]
    assert finder.problems == ()


@pytest.mark.anyio
async def test_a_listing_works_inside_a_running_loop(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("a", find_kernels=asynchronous)])

    assert names_of(finder) == ["a/x"]


@pytest.mark.anyio
async def test_an_asynchronous_provider_runs_on_asyncio_in_a_loop_of_its_own(
    make_provider: MakeProvider,
) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    threads: list[threading.Thread] = []

    async def find_kernels() -> AsyncIterator[Pair]:
        loops.append(asyncio.get_running_loop())
        threads.append(threading.current_thread())
        yield "x", {}

    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)])
    names = await names_of_async(finder) + names_of(finder)

    assert names == ["a/x", "a/x"]
    assert loops[0] is not loops[1]
    assert threading.current_thread() not in threads


def fail_at_once() -> Iterator[Pair]:
    raise LookupError("no network")


def fail_midway() -> Iterator[Pair]:
    yield "x", {}
    raise LookupError("no network")


async def fail_asynchronously() -> AsyncIterator[Pair]:
    yield "x", {}
    raise LookupError("no network")


def leave() -> Iterator[Pair]:
    sys.exit("no network")


async def leave_asynchronously() -> AsyncIterator[Pair]:
    sys.exit("no network")
    yield "x", {}


async def cancel_itself() -> AsyncIterator[Pair]:
    yield "x", {}
    raise asyncio.CancelledError("no network")


every_failure = pytest.mark.parametrize(
    ("find_kernels", "listed"),
    [
        (fail_at_once, []),
        (fail_midway, ["bad/x"]),
        (fail_asynchronously, ["bad/x"]),
        (leave, []),
        (leave_asynchronously, []),
        (cancel_itself, ["bad/x"]),
    ],
)


@every_failure
def test_a_provider_that_fails_hides_no_other(
    make_provider: MakeProvider, find_kernels: Callable[[], Any], listed: list[str]
) -> None:
    bad = make_provider("bad", find_kernels=find_kernels)
    finder = KernelFinder([bad, make_provider("good", "x")])

    assert names_of(finder) == [*listed, "good/x"]
    (problem,) = finder.problems
    assert problem.provider == "bad"
    assert "no network" in problem.reason


@every_failure
@pytest.mark.anyio
async def test_a_provider_that_fails_hides_no_other_asynchronously(
    make_provider: MakeProvider, find_kernels: Callable[[], Any], listed: list[str]
) -> None:
    bad = make_provider("bad", find_kernels=find_kernels)
    finder = KernelFinder([bad, make_provider("good", "x")])

    assert await names_of_async(finder) == [*listed, "good/x"]
    assert await names_of_search(finder) == [*listed, "good/x"]
    assert [problem.provider for problem in finder.problems] == ["bad"]


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise SystemExit


def test_a_provider_whose_error_says_nothing_hides_no_other(make_provider: MakeProvider) -> None:
    def find_kernels() -> Iterator[Pair]:
        raise UnspeakableError

    bad = make_provider("bad", find_kernels=find_kernels)
    finder = KernelFinder([bad, make_provider("good", "x")])

    assert names_of(finder) == ["good/x"]
    assert finder.problems[0].reason == "find_kernels raised UnspeakableError"


def test_a_problem_has_the_exception_behind_it(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("bad", find_kernels=fail_at_once)])
    names_of(finder)

    assert isinstance(finder.problems[0].exception, LookupError)


def test_a_problem_goes_when_the_provider_has_recovered(make_provider: MakeProvider) -> None:
    finds = iter([fail_at_once, plain])
    finder = KernelFinder([make_provider("a", find_kernels=lambda: next(finds)())])
    names_of(finder)

    assert names_of(finder) == ["a/x"]
    assert finder.problems == ()


NO_KERNEL_TYPES: list[object] = [
    "xy",
    ("x",),
    ("x", {}, {}),
    None,
    (1, {}),
    ("", {}),
    ("two\nlines", {}),
    ("\ud800", {}),
    ("x", None),
    ("x", [("argv", [])]),
]


@pytest.mark.parametrize("item", NO_KERNEL_TYPES, ids=repr)
def test_what_is_no_kernel_type_is_reported_and_the_rest_listed(
    make_provider: MakeProvider, item: object
) -> None:
    finder = KernelFinder([make_provider("a", find_kernels=lambda: [item, ("good", {})])])

    assert names_of(finder) == ["a/good"]
    assert [problem.provider for problem in finder.problems] == ["a"]


def test_what_cannot_even_be_shown_is_reported(make_provider: MakeProvider) -> None:
    class Hostile(dict[str, Any]):
        def __repr__(self) -> str:
            raise LookupError

        def items(self) -> Any:
            raise LookupError

    found: list[object] = [
        Hostile(),
        ("hostile", Hostile()),
        ("x", {"argv": Hostile()}),
        ("good", {}),
    ]
    finder = KernelFinder([make_provider("a", find_kernels=lambda: found)])

    assert names_of(finder) == ["a/x", "a/good"]
    assert [problem.name for problem in finder.problems] == [None, "hostile", "x"]


def test_a_name_that_comes_twice_is_listed_once(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("a", "x", "X")])

    assert names_of(finder) == ["a/x"]
    assert [problem.name for problem in finder.problems] == ["X"]


@every_kind
def test_the_problems_of_a_provider_itself_are_passed_on(
    make_provider: MakeProvider, find_kernels: Callable[[], Any]
) -> None:
    provider = make_provider("a", find_kernels=find_kernels)
    problem = Problem("a", "it is broken", name="y", path="/y/kernel.json")
    type(provider).problems = (problem, "no problem")  # type: ignore[assignment]
    finder = KernelFinder([provider])
    names_of(finder)

    assert finder.problems == (problem,)


def test_a_provider_that_hangs_delays_no_other(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    def find_kernels() -> Iterator[Pair]:
        forever.wait(5)
        yield "late", {}

    hanging = make_provider("a", find_kernels=find_kernels)
    finder = KernelFinder([hanging, make_provider("b", "x")], time_limit=20)

    first, _ = next(finder.find_kernels())

    assert first == "b/x"
    assert finder.problems == ()


def test_a_provider_that_never_comes_to_an_end_is_stopped(make_provider: MakeProvider) -> None:
    stopped = threading.Event()

    def find_kernels() -> Iterator[Pair]:
        try:
            for number in count():
                yield str(number), {}
        finally:
            stopped.set()

    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)], time_limit=0.05)

    assert "a/0" in names_of(finder)
    assert [problem.provider for problem in finder.problems] == ["a"]
    assert stopped.wait(10)


def test_a_provider_that_hangs_is_reported_with_what_it_had_listed(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    def find_kernels() -> Iterator[Pair]:
        yield "x", {}
        forever.wait()
        yield "y", {}

    hanging = make_provider("a", find_kernels=find_kernels)
    finder = KernelFinder([hanging, make_provider("b", "x")], time_limit=0.1)

    assert sorted(names_of(finder)) == ["a/x", "b/x"]
    (problem,) = finder.problems
    assert problem.reason == "it did not answer within 0.1 s"
    assert isinstance(problem.exception, TimeoutError)


@pytest.mark.anyio
async def test_a_provider_that_hangs_holds_up_no_asynchronous_listing(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    async def find_kernels() -> AsyncIterator[Pair]:
        yield "x", {}
        await anyio.sleep_forever()

    hanging = [
        make_provider("a", find_kernels=forever.wait),
        make_provider("b", find_kernels=find_kernels),
    ]
    finder = KernelFinder([*hanging, make_provider("c", "x")], time_limit=0.1)

    assert await names_of_async(finder) == ["b/x", "c/x"]
    assert [problem.provider for problem in finder.problems] == ["a", "b"]


def test_an_asynchronous_provider_that_hangs_is_cancelled(make_provider: MakeProvider) -> None:
    cancelled = threading.Event()

    async def find_kernels() -> AsyncIterator[Pair]:
        yield "x", {}
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()

    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)], time_limit=0.1)

    assert names_of(finder) == ["a/x"]
    assert [problem.provider for problem in finder.problems] == ["a"]
    assert cancelled.wait(10)


@pytest.fixture(params=["blocks", "cannot be cancelled", "never pauses"])
def stubborn(request: pytest.FixtureRequest, forever: threading.Event) -> Callable[[], Any]:
    async def blocks() -> AsyncIterator[Pair]:
        forever.wait()
        yield "y", {}

    async def cannot_be_cancelled() -> AsyncIterator[Pair]:
        await anyio.to_thread.run_sync(forever.wait)
        yield "y", {}

    async def never_pauses() -> AsyncIterator[Pair]:
        while not forever.is_set():
            yield "y", {}

    kinds = {
        "blocks": blocks,
        "cannot be cancelled": cannot_be_cancelled,
        "never pauses": never_pauses,
    }
    return kinds[request.param]


def test_an_asynchronous_provider_that_is_stubborn_holds_up_no_other(
    make_provider: MakeProvider, stubborn: Callable[[], Any]
) -> None:
    providers = [make_provider("a", find_kernels=stubborn), make_provider("b", "x")]
    finder = KernelFinder(providers, time_limit=0.1)

    assert "b/x" in names_of(finder)
    assert finder.problems[-1].reason == "it did not answer within 0.1 s"


@pytest.mark.anyio
async def test_an_asynchronous_provider_that_is_stubborn_holds_up_no_asynchronous_listing(
    make_provider: MakeProvider, stubborn: Callable[[], Any]
) -> None:
    providers = [make_provider("a", find_kernels=stubborn), make_provider("b", "x")]
    finder = KernelFinder(providers, time_limit=0.1)

    with anyio.fail_after(10):
        assert "b/x" in await names_of_async(finder)
    assert finder.problems[-1].reason == "it did not answer within 0.1 s"


def test_a_provider_is_not_asked_again_while_it_hangs(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    asked: list[bool] = []

    def find_kernels() -> list[Pair]:
        asked.append(True)
        forever.wait()
        return [("x", {})]

    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)], time_limit=0.05)
    names_of(finder)
    names_of(finder)

    assert len(asked) == 1
    assert "still hangs" in finder.problems[0].reason


def test_a_provider_is_asked_again_when_it_no_longer_hangs(make_provider: MakeProvider) -> None:
    released = threading.Event()

    def find_kernels() -> Iterator[Pair]:
        released.wait()
        yield "x", {}

    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)], time_limit=0.05)
    names_of(finder)
    released.set()
    for thread in threading.enumerate():
        if thread.name == "kernel_mgmt provider a":
            thread.join(10)

    assert names_of(finder) == ["a/x"]
    assert finder.problems == ()


SLEEP = "def find_kernels(self): threading.Event().wait()"
SLEEP_IN_A_LOOP = """async def find_kernels(self):
        threading.Event().wait()
        yield"""


@pytest.mark.parametrize("find_kernels", [SLEEP, SLEEP_IN_A_LOOP])
def test_a_provider_that_hangs_does_not_delay_the_exit(find_kernels: str) -> None:
    script = f"""
import threading
from kernel_mgmt.discovery import KernelFinder, KernelProviderBase

class Hanging(KernelProviderBase):
    id = "a"
    {find_kernels}
    async def launch(self, name, cwd=None, launch_params=None):
        raise NotImplementedError

finder = KernelFinder([Hanging()], time_limit=0.05)
print(list(finder.find_kernels()), len(finder.problems))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )

    assert (done.stdout, done.stderr) == ("[] 1\n", "")


@pytest.mark.anyio
async def test_a_search_streams_what_is_found_as_it_comes(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    go_on = threading.Event()

    def slow() -> Iterator[Pair]:
        yield "first", {}
        forever.wait()
        yield "second", {}

    async def waiting() -> AsyncIterator[Pair]:
        await anyio.to_thread.run_sync(go_on.wait)
        yield "x", {}

    providers = [make_provider("a", find_kernels=slow), make_provider("b", find_kernels=waiting)]
    with anyio.fail_after(10):
        async with KernelFinder(providers, time_limit=60).search() as kernels:
            first, _ = await anext(kernels)
            go_on.set()
            second, _ = await anext(kernels)
            forever.set()
            rest = [name async for name, _ in kernels]

    assert (first, second, rest) == ("a/first", "b/x", ["a/second"])


@pytest.mark.anyio
async def test_a_search_may_be_left_early(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    async def endless() -> AsyncIterator[Pair]:
        await anyio.sleep_forever()
        yield "x", {}

    providers = [
        make_provider("a", "x"),
        make_provider("b", find_kernels=forever.wait),
        make_provider("c", find_kernels=endless),
    ]
    with anyio.fail_after(10):
        async with KernelFinder(providers, time_limit=60).search() as kernels:
            first, _ = await anext(kernels)

    assert first == "a/x"


@pytest.mark.anyio
async def test_an_error_in_the_body_of_a_search_is_raised_as_it_is(
    make_provider: MakeProvider,
) -> None:
    finder = KernelFinder([make_provider("a", "x")])

    with pytest.raises(LookupError, match="from the body"):
        async with finder.search():
            raise LookupError("from the body")


@pytest.mark.anyio
async def test_an_asynchronous_listing_may_be_left_early(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("a", "x", "y")])

    async for name, _ in finder.find_kernels_async():
        assert name == "a/x"
        break


@pytest.mark.anyio
async def test_an_asynchronous_listing_may_be_cancelled(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    finder = KernelFinder([make_provider("a", find_kernels=forever.wait)], time_limit=60)

    with anyio.move_on_after(0.05) as scope:
        await names_of_async(finder)

    assert scope.cancelled_caught


def test_ctrl_c_in_a_provider_is_not_swallowed(make_provider: MakeProvider) -> None:
    def find_kernels() -> Iterator[Pair]:
        raise KeyboardInterrupt

    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)])

    with pytest.raises(KeyboardInterrupt):
        names_of(finder)


def test_providers_of_one_id_are_reported_and_not_guessed(make_provider: MakeProvider) -> None:
    providers = [make_provider("dup", "x"), make_provider("dup", "x"), make_provider("a", "x")]
    finder = KernelFinder(providers)

    assert names_of(finder) == ["a/x"]
    assert [problem.provider for problem in finder.problems] == ["dup"]


@pytest.mark.parametrize("provider_id", ["", "a/b", "A", "a b", "é", None, 3])
def test_a_provider_with_an_invalid_id_is_reported(
    make_provider: MakeProvider, provider_id: Any
) -> None:
    finder = KernelFinder([make_provider(provider_id, "x"), make_provider("a", "x")])

    assert names_of(finder) == ["a/x"]
    assert "cannot be the id of a provider" in finder.problems[0].reason


def test_what_is_no_provider_is_reported(make_provider: MakeProvider) -> None:
    class NoProvider:
        id = "no"

        def find_kernels(self) -> list[Pair]:
            return []

    finder = KernelFinder([NoProvider(), make_provider("a", "x")])  # type: ignore[list-item]

    assert names_of(finder) == ["a/x"]
    assert "NoProvider is not a kernel provider: it has no launch" in finder.problems[0].reason


def test_a_provider_need_not_derive_from_the_base_class() -> None:
    class Independent:
        id = "a"

        def find_kernels(self) -> list[Pair]:
            return [("x", {})]

        async def launch(self, name: str, cwd: object, launch_params: object) -> Any:
            raise NotImplementedError

    finder = KernelFinder([Independent()])  # type: ignore[list-item]

    assert names_of(finder) == ["a/x"]
    assert finder.problems == ()


def test_a_change_of_the_attributes_is_seen_in_the_next_listing(
    make_provider: MakeProvider,
) -> None:
    told: dict[str, Any] = {"display_name": "Before", "env": {"A": "1"}}
    finder = KernelFinder([make_provider("a", find_kernels=lambda: [("x", told)])])
    list(finder.find_kernels())
    told["display_name"] = "After"
    told["env"]["A"] = "2"

    ((_, attributes),) = finder.find_kernels()

    assert attributes.get("display_name") == "After"
    assert attributes.get("env") == {"A": "2"}


def test_what_a_caller_does_to_the_attributes_is_not_in_the_next_listing(
    make_provider: MakeProvider,
) -> None:
    told: dict[str, Any] = {"env": {"A": "1"}}
    finder = KernelFinder([make_provider("a", find_kernels=lambda: [("x", told)])])
    for _ in range(3):
        ((_, attributes),) = finder.find_kernels()
        env = attributes.get("env", {})

        assert env == {"A": "1"}
        env["B"] = "2"
        attributes["display_name"] = "changed"

    ((_, attributes),) = finder.find_kernels()
    assert attributes.get("display_name") == "x"


def test_attributes_that_do_not_compare_are_listed_each_time(make_provider: MakeProvider) -> None:
    class Incomparable:
        def __eq__(self, other: object) -> bool:
            raise LookupError

        __hash__ = None  # type: ignore[assignment]

    def find_kernels() -> Iterator[Pair]:
        yield "x", {"metadata": {"odd": Incomparable()}}

    finder = KernelFinder([make_provider("a", find_kernels=find_kernels)])

    assert [names_of(finder) for _ in range(2)] == [["a/x"], ["a/x"]]
    assert finder.problems == ()
