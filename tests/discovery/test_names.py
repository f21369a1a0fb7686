"""Getting and launching one kernel type by its name."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from kernel_mgmt.abc import KernelProviderBase
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import (
    KernelLaunchError,
    KernelManagementError,
    KernelSpecError,
    LaunchOptionError,
    NoSuchKernelError,
    ProviderLoadError,
    UnknownProviderError,
)
from kernel_mgmt.types import LaunchOptions

from .conftest import ListingProvider, MakeProvider

pytestmark = pytest.mark.anyio

Ask = Callable[[KernelFinder, str], Any]


async def get(finder: KernelFinder, name: str) -> object:
    return finder.get(name)


async def get_async(finder: KernelFinder, name: str) -> object:
    return await finder.get_async(name)


async def launch(finder: KernelFinder, name: str) -> object:
    return await finder.launch(name)


every_way = pytest.mark.parametrize("ask", [get, get_async, launch])
both_gets = pytest.mark.parametrize("ask", [get, get_async])


def get_kernel(name: str) -> dict[str, Any]:
    if name == "broken":
        raise KernelSpecError("/broken/kernel.json", "it is empty")
    if name != "x":
        raise NoSuchKernelError(name)
    return {"display_name": "X"}


async def get_kernel_async(name: str) -> dict[str, Any]:
    await anyio.lowlevel.checkpoint()
    return get_kernel(name)


def listed_once() -> list[Any]:
    raise AssertionError("the listing is not needed")


with_and_without_get_kernel = pytest.mark.parametrize(
    "methods",
    [
        {},
        {"get_kernel": get_kernel, "find_kernels": listed_once},
        {"get_kernel": get_kernel_async, "find_kernels": listed_once},
    ],
    ids=["listing", "get_kernel", "asynchronous get_kernel"],
)


@both_gets
@with_and_without_get_kernel
async def test_get_asks_the_provider_of_the_name(
    make_provider: MakeProvider, ask: Ask, methods: dict[str, Any]
) -> None:
    finder = KernelFinder([make_provider("a", "x", **methods)])

    attributes = await ask(finder, "a/x")

    assert attributes["display_name"] == "X"
    assert attributes["interrupt_mode"] == "signal"


@every_way
async def test_only_the_provider_of_the_name_is_asked(
    make_provider: MakeProvider, ask: Ask, forever: threading.Event
) -> None:
    hanging = make_provider("b", find_kernels=forever.wait, load_config=hang_in(forever))
    finder = KernelFinder([hanging, make_provider("a", "x")], time_limit=20)

    with anyio.fail_after(10):
        assert await ask(finder, "a/x")


@every_way
async def test_a_bare_name_is_one_of_spec(make_provider: MakeProvider, ask: Ask) -> None:
    finder = KernelFinder([make_provider("spec", "x")])

    assert await ask(finder, "x") == await ask(finder, "spec/x")


@both_gets
async def test_a_name_is_split_at_its_first_slash(make_provider: MakeProvider, ask: Ask) -> None:
    finder = KernelFinder([make_provider("a", "b/c")])

    assert (await ask(finder, "a/b/c"))["display_name"] == "B/C"


@both_gets
async def test_names_compare_without_case(make_provider: MakeProvider, ask: Ask) -> None:
    finder = KernelFinder([make_provider("a", "Xyz")])

    assert (await ask(finder, "A/xYz"))["display_name"] == "Xyz"


@pytest.mark.parametrize("methods", [{}, {"get_kernel": get_kernel}])
async def test_a_launch_uses_the_spelling_of_the_provider(
    make_provider: MakeProvider, methods: dict[str, Any]
) -> None:
    async def strict(name: str, cwd: Any, launch_params: Any) -> Any:
        if name != "Xyz":
            raise NoSuchKernelError(name)
        return {"transport": "tcp", "kernel_name": name}, None

    finder = KernelFinder([make_provider("a", "Xyz", launch=strict, **methods)])

    connection_info, _ = await finder.launch("A/xyz")

    assert connection_info.get("kernel_name") == "Xyz"


@every_way
async def test_an_unknown_provider_is_an_error_that_names_the_known(
    make_provider: MakeProvider, ask: Ask
) -> None:
    finder = KernelFinder([make_provider("oblong", "x")])

    with pytest.raises(UnknownProviderError, match="did you mean 'oblong'") as raised:
        await ask(finder, "oblnog/x")

    assert raised.value.known == ("oblong",)


@every_way
async def test_an_unknown_kernel_is_an_error_that_names_what_is_near(
    make_provider: MakeProvider, ask: Ask
) -> None:
    async def refuse(name: str, cwd: Any, launch_params: Any) -> Any:
        raise NoSuchKernelError(name)

    finder = KernelFinder([make_provider("a", "rounded", "square", launch=refuse)])

    with pytest.raises(NoSuchKernelError, match="did you mean 'a/rounded'") as raised:
        await ask(finder, "a/ronded")

    assert raised.value.name == "a/ronded"
    assert raised.value.known == ("a/rounded", "a/square")


def test_a_name_is_compared_without_what_all_have_in_common() -> None:
    error = NoSuchKernelError("spec/bash", ["spec/ir", "spec/python3"])

    assert "did you mean" not in str(error)


@every_way
@pytest.mark.parametrize("name", ["", "a/"])
async def test_an_empty_name_is_no_kernel_type(
    make_provider: MakeProvider, ask: Ask, name: str
) -> None:
    finder = KernelFinder([make_provider("a", "x"), make_provider("spec", "x")])

    with pytest.raises(NoSuchKernelError, match="a name is missing"):
        await ask(finder, name)


def hang_in(event: threading.Event) -> Callable[..., Any]:
    def hang(*_: object) -> None:
        event.wait()

    return hang


def nothing(name: str) -> None:
    return None


def raise_lookup_error(*_: object, **__: object) -> Any:
    raise LookupError("no network")


def leave(*_: object, **__: object) -> Any:
    raise SystemExit("no network")


every_fault = pytest.mark.parametrize("fault", [raise_lookup_error, leave])


@both_gets
@every_fault
@pytest.mark.parametrize("method", ["find_kernels", "get_kernel", "load_config"])
async def test_a_broken_provider_that_is_asked_for_by_name_raises_with_the_cause(
    make_provider: MakeProvider, ask: Ask, fault: Callable[..., Any], method: str
) -> None:
    finder = KernelFinder([make_provider("a", "x", **{method: fault})])

    with pytest.raises(ProviderLoadError, match=f"'a' cannot be used: {method} raised") as raised:
        await ask(finder, "a/x")

    assert isinstance(raised.value.__cause__, LookupError | SystemExit)


@every_way
async def test_a_provider_that_cannot_be_configured_raises_each_time(
    make_provider: MakeProvider, ask: Ask
) -> None:
    finder = KernelFinder([make_provider("a", "x", load_config=raise_lookup_error)])

    for _ in range(2):
        with pytest.raises(ProviderLoadError, match="load_config raised LookupError: no network"):
            await ask(finder, "a/x")
    assert [problem.provider for problem in finder.problems] == ["a"]


@every_way
async def test_a_provider_that_hangs_when_it_is_asked_for_by_name_raises_in_time(
    make_provider: MakeProvider, ask: Ask, forever: threading.Event
) -> None:
    hanging = make_provider("a", "x", load_config=hang_in(forever))
    finder = KernelFinder([hanging], time_limit=0.05)

    with pytest.raises(ProviderLoadError, match="did not answer within") as raised:
        await ask(finder, "a/x")
    assert isinstance(raised.value.__cause__, TimeoutError)

    with pytest.raises(ProviderLoadError, match="still hangs"):
        await ask(finder, "a/x")


@both_gets
async def test_an_asynchronous_get_kernel_that_hangs_raises_in_time(
    make_provider: MakeProvider, ask: Ask
) -> None:
    async def hang(name: str) -> Any:
        await anyio.sleep_forever()

    finder = KernelFinder([make_provider("a", get_kernel=hang)], time_limit=0.05)

    with pytest.raises(ProviderLoadError, match="did not answer within"):
        await ask(finder, "a/x")


@both_gets
async def test_a_get_kernel_that_cannot_be_cancelled_raises_in_time(
    make_provider: MakeProvider, ask: Ask, forever: threading.Event
) -> None:
    async def hang(name: str) -> Any:
        await anyio.to_thread.run_sync(forever.wait)

    finder = KernelFinder([make_provider("a", get_kernel=hang)], time_limit=0.05)

    with anyio.fail_after(10), pytest.raises(ProviderLoadError, match="did not answer within"):
        await ask(finder, "a/x")


@both_gets
async def test_a_get_kernel_that_cancels_itself_is_an_error(
    make_provider: MakeProvider, ask: Ask
) -> None:
    async def cancel(name: str) -> Any:
        raise asyncio.CancelledError

    finder = KernelFinder([make_provider("a", get_kernel=cancel)])

    with pytest.raises(ProviderLoadError, match="get_kernel raised CancelledError"):
        await ask(finder, "a/x")


@both_gets
async def test_a_kernelspec_that_is_asked_for_by_name_raises_what_is_wrong_with_it(
    make_provider: MakeProvider, ask: Ask
) -> None:
    finder = KernelFinder([make_provider("a", get_kernel=get_kernel)])

    with pytest.raises(KernelSpecError, match="it is empty"):
        await ask(finder, "a/broken")


@both_gets
async def test_a_kernel_type_that_could_not_be_listed_raises_why(
    make_provider: MakeProvider, ask: Ask
) -> None:
    finder = KernelFinder([make_provider("a", find_kernels=lambda: [("x", None)])])

    with pytest.raises(ProviderLoadError, match="x: its attributes are None, not a mapping"):
        await ask(finder, "a/x")


@both_gets
async def test_a_get_kernel_that_returns_no_attributes_is_an_error(
    make_provider: MakeProvider, ask: Ask
) -> None:
    finder = KernelFinder([make_provider("a", get_kernel=nothing)])

    with pytest.raises(ProviderLoadError, match="get_kernel returned None"):
        await ask(finder, "a/x")


async def test_a_launch_passes_everything_on(make_provider: MakeProvider, tmp_path: Path) -> None:
    async def record(name: str, cwd: Any, launch_params: Any, *, options: Any = None) -> Any:
        return {"transport": "tcp", "passed": [name, cwd, launch_params, options]}, None

    finder = KernelFinder([make_provider("a", "x", launch=record)])
    options = LaunchOptions(kernel_id="k")

    connection_info, manager = await finder.launch("a/x", tmp_path, {"n": 1}, options=options)

    assert connection_info.get("passed") == ["x", tmp_path, {"n": 1}, options]
    assert manager is None


@pytest.mark.parametrize("options", [None, LaunchOptions(), LaunchOptions(extra_arguments=[])])
async def test_a_provider_of_the_plain_signature_launches(
    make_provider: MakeProvider, options: LaunchOptions | None
) -> None:
    async def plain(name: str, cwd: Any, launch_params: Any) -> Any:
        return {"transport": "tcp", "kernel_name": name}, None

    finder = KernelFinder([make_provider("a", "x", launch=plain)])

    assert (await finder.launch("a/x", options=options))[0].get("kernel_name") == "x"


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (LaunchOptions(env={"A": "1"}), "env"),
        (LaunchOptions(extra_arguments=["-v"]), "extra_arguments"),
        (LaunchOptions(transport="ipc"), "transport"),
        (LaunchOptions(kernel_id="k"), "kernel_id"),
    ],
)
async def test_an_option_that_a_provider_cannot_take_is_an_error(
    make_provider: MakeProvider, options: LaunchOptions, option: str
) -> None:
    async def plain(name: str, cwd: Any, launch_params: Any) -> Any:
        raise AssertionError("it is not launched")

    finder = KernelFinder([make_provider("a", "x", launch=plain)])

    with pytest.raises(LaunchOptionError) as raised:
        await finder.launch("a/x", options=options)

    assert raised.value.option == option


async def test_a_provider_may_take_its_options_among_other_keywords(
    make_provider: MakeProvider,
) -> None:
    async def take_all(name: str, cwd: Any, launch_params: Any, **rest: Any) -> Any:
        return {"transport": "tcp", "rest": rest}, None

    finder = KernelFinder([make_provider("a", "x", launch=take_all)])
    options = LaunchOptions(kernel_id="k")

    assert (await finder.launch("a/x", options=options))[0].get("rest") == {"options": options}


@every_fault
async def test_a_launch_that_fails_raises_a_launch_error_with_the_cause(
    make_provider: MakeProvider, fault: Callable[..., Any]
) -> None:
    async def fail(*_: object) -> Any:
        fault()

    finder = KernelFinder([make_provider("a", "x", launch=fail)])

    with pytest.raises(KernelLaunchError, match=r"'a' raised .*: no network") as raised:
        await finder.launch("a/x")

    assert isinstance(raised.value.__cause__, LookupError | SystemExit)


async def test_an_error_of_kernel_mgmt_comes_out_of_a_launch_as_it_is(
    make_provider: MakeProvider,
) -> None:
    error = KernelManagementError("of its own")

    async def fail(*_: object) -> Any:
        raise error

    finder = KernelFinder([make_provider("a", "x", launch=fail)])

    with pytest.raises(KernelManagementError) as raised:
        await finder.launch("a/x")

    assert raised.value is error


@pytest.mark.parametrize("returned", [None, {}, (1, 2), ({}, None, None), "ab"], ids=repr)
async def test_a_launch_that_returns_something_else_is_an_error(
    make_provider: MakeProvider, returned: object
) -> None:
    async def strange(*_: object) -> Any:
        return returned

    finder = KernelFinder([make_provider("a", "x", launch=strange)])

    with pytest.raises(KernelLaunchError, match="not connection info with a manager"):
        await finder.launch("a/x")


async def test_a_launch_may_be_cancelled(make_provider: MakeProvider) -> None:
    async def hang(*_: object) -> Any:
        await anyio.sleep_forever()

    finder = KernelFinder([make_provider("a", "x", launch=hang)])

    with anyio.move_on_after(0.05) as scope:
        await finder.launch("a/x")

    assert scope.cancelled_caught


async def test_a_provider_is_configured_once(make_provider: MakeProvider) -> None:
    configured: list[object] = []
    provider: KernelProviderBase = make_provider("a", "x", load_config=configured.append)
    finder = KernelFinder([provider])
    finder.get("a/x")
    await finder.launch("a/x")
    list(finder.find_kernels())

    assert configured == [None]


def test_a_provider_that_takes_no_configuration_needs_no_thread_to_be_loaded() -> None:
    threads: list[threading.Thread] = []

    class Provider(ListingProvider):
        names = ("x",)

        @property
        def id(self) -> str:  # type: ignore[override]
            threads.append(threading.current_thread())
            return "a"

    KernelFinder([Provider()]).get("a/x")

    assert set(threads) == {threading.current_thread()}
