"""Allowing, denying, matching, and a default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kernel_mgmt.discovery import KernelFinder, KernelProviderBase
from kernel_mgmt.exceptions import NoSuchKernelError, UnknownProviderError

from .conftest import MakeProvider

Providers = list[KernelProviderBase]
Match = Callable[..., Any]


def not_asked(*_: object) -> Any:
    raise AssertionError("it is not asked")


@pytest.fixture
def providers(make_provider: MakeProvider) -> Providers:
    return [make_provider("a", "x", "y"), make_provider("b", "x")]


def names_of(finder: KernelFinder) -> list[str]:
    return [name for name, _ in finder.find_kernels()]


@pytest.mark.parametrize(
    ("patterns", "listed"),
    [
        ({"allow": ["a/*"]}, ["a/x", "a/y"]),
        ({"allow": ["A/X"]}, ["a/x"]),
        ({"allow": ["*/x"]}, ["a/x", "b/x"]),
        ({"allow": ["a/[!x]", "b/*"]}, ["a/y", "b/x"]),
        ({"allow": []}, []),
        ({"deny": ["a/*"]}, ["b/x"]),
        ({"deny": ["*x"]}, ["a/y"]),
        ({"deny": ["*"]}, []),
        ({"allow": ["a/*"], "deny": ["a/y"]}, ["a/x"]),
        ({"allow": "a/*"}, ["a/x", "a/y"]),
    ],
    ids=repr,
)
def test_patterns_decide_what_is_listed(
    providers: Providers, patterns: dict[str, Any], listed: list[str]
) -> None:
    assert names_of(KernelFinder(providers, **patterns)) == listed
    assert names_of(KernelFinder(providers, config=patterns)) == listed


@pytest.mark.anyio
async def test_patterns_hold_for_asynchronous_listings(providers: Providers) -> None:
    finder = KernelFinder(providers, deny=["a/y"])

    assert [name async for name, _ in finder.find_kernels_async()] == ["a/x", "b/x"]
    async with finder.search() as kernels:
        assert sorted([name async for name, _ in kernels]) == ["a/x", "b/x"]


@pytest.mark.anyio
@pytest.mark.parametrize("patterns", [{"allow": ["b/*"]}, {"deny": ["a/x"]}], ids=repr)
async def test_what_is_excluded_is_neither_got_nor_launched(
    providers: Providers, patterns: dict[str, Any]
) -> None:
    finder = KernelFinder(providers, **patterns)

    with pytest.raises(NoSuchKernelError, match=r"patterns?.*'[ab]/"):
        finder.get("a/x")
    with pytest.raises(NoSuchKernelError, match=r"patterns?.*'[ab]/"):
        await finder.get_async("a/x")
    with pytest.raises(NoSuchKernelError, match=r"patterns?.*'[ab]/"):
        await finder.launch("A/X")


@pytest.mark.parametrize(
    "patterns", [{"deny": ["a/*"]}, {"deny": ["*"]}, {"allow": ["b/*", "c/x"]}], ids=repr
)
def test_a_provider_that_is_excluded_altogether_is_not_asked(
    make_provider: MakeProvider, patterns: dict[str, Any]
) -> None:
    provider = make_provider("a", find_kernels=not_asked, load_config=not_asked)
    finder = KernelFinder([provider], **patterns)

    assert names_of(finder) == []
    assert finder.problems == ()


def test_an_error_does_not_suggest_what_is_excluded(providers: Providers) -> None:
    finder = KernelFinder(providers, deny=["a/x", "b/*"])

    with pytest.raises(NoSuchKernelError) as no_kernel:
        finder.get("a/z")
    with pytest.raises(UnknownProviderError) as no_provider:
        finder.get("c/x")

    assert no_kernel.value.known == ("a/y",)
    assert no_provider.value.known == ("a",)


@pytest.mark.parametrize(
    ("variable", "value", "listed"),
    [
        ("KERNEL_MGMT_ALLOW", "a/x, b/*", ["a/x", "b/x"]),
        ("KERNEL_MGMT_ALLOW", "a/x b/x", ["a/x", "b/x"]),
        ("KERNEL_MGMT_DENY", "*/x", ["a/y"]),
        ("KERNEL_MGMT_ALLOW", "", ["a/x", "a/y", "b/x"]),
    ],
)
def test_patterns_may_stand_in_the_environment(
    providers: Providers,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    listed: list[str],
) -> None:
    monkeypatch.setenv(variable, value)

    assert names_of(KernelFinder(providers)) == listed


def test_an_argument_comes_before_the_environment_and_that_before_the_configuration(
    providers: Providers, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"allow": ["a/x"]}
    monkeypatch.setenv("KERNEL_MGMT_ALLOW", "a/y")

    assert names_of(KernelFinder(providers, config=config)) == ["a/y"]
    assert names_of(KernelFinder(providers, config=config, allow=["b/x"])) == ["b/x"]


@pytest.mark.parametrize("value", [3, [3], {"a": 1}], ids=repr)
def test_patterns_of_the_wrong_type_are_reported(providers: Providers, value: object) -> None:
    finder = KernelFinder(providers, config={"deny": value})

    assert names_of(finder) == ["a/x", "a/y", "b/x"]
    assert "deny should be a list of strings" in finder.problems[0].reason


def telling(language: str, display_name: str = "") -> dict[str, str]:
    return {"language": language, "display_name": display_name}


@pytest.fixture
def finder(make_provider: MakeProvider) -> KernelFinder:
    kernels: Mapping[str, Any] = {
        "python3": telling("python", "Python 3"),
        "env": telling("python", "Python (env)"),
        "ir": telling("R", "R"),
        "twin1": telling("julia", "Twin"),
        "twin2": telling("xlang", "Twin"),
    }
    return KernelFinder([make_provider("spec", find_kernels=kernels.items)])


async def match(finder: KernelFinder, **criteria: str) -> str:
    return finder.match(**criteria)


async def match_async(finder: KernelFinder, **criteria: str) -> str:
    return await finder.match_async(**criteria)


both_ways = pytest.mark.parametrize("find", [match, match_async])


@both_ways
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"name": "python3"}, "spec/python3"),
        ({"name": "spec/ir", "language": "python"}, "spec/ir"),
        ({"name": "gone", "language": "r"}, "spec/ir"),
        ({"name": "gone/python3", "language": "r"}, "spec/ir"),
        ({"language": "R"}, "spec/ir"),
        ({"display_name": "python (ENV)"}, "spec/env"),
        ({"display_name": "Python (env)", "language": "r"}, "spec/env"),
        ({"display_name": "Gone", "language": "r"}, "spec/ir"),
        ({"display_name": "Twin", "language": "xlang"}, "spec/twin2"),
    ],
    ids=repr,
)
async def test_a_match_is_the_name_or_else_the_only_one_that_fits(
    finder: KernelFinder, find: Match, criteria: dict[str, str], expected: str
) -> None:
    assert await find(finder, **criteria) == expected


@both_ways
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("criteria", "candidates"),
    [
        ({"language": "python"}, ("spec/python3", "spec/env")),
        ({"name": "gone", "language": "python"}, ("spec/python3", "spec/env")),
        ({"display_name": "Twin"}, ("spec/twin1", "spec/twin2")),
        ({"display_name": "Twin", "language": "python"}, ("spec/twin1", "spec/twin2")),
        (
            {"language": "cobol"},
            ("spec/python3", "spec/env", "spec/ir", "spec/twin1", "spec/twin2"),
        ),
    ],
    ids=repr,
)
async def test_a_match_that_is_not_the_only_one_lists_the_candidates(
    finder: KernelFinder, find: Match, criteria: dict[str, str], candidates: tuple[str, ...]
) -> None:
    with pytest.raises(NoSuchKernelError) as raised:
        await find(finder, **criteria)

    assert raised.value.known == candidates


async def default(finder: KernelFinder) -> str:
    return finder.default_kernel()


async def default_async(finder: KernelFinder) -> str:
    return await finder.default_kernel_async()


default_both_ways = pytest.mark.parametrize("find", [default, default_async])


@default_both_ways
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"spec": ["python3"], "pyimport": ["kernel"]}, "spec/python3"),
        ({"spec": ["ir"], "pyimport": ["kernel"]}, "pyimport/kernel"),
        ({"pyimport": ["kernel"]}, "pyimport/kernel"),
    ],
    ids=repr,
)
async def test_without_configuration_the_default_is_a_python_that_is_there(
    make_provider: MakeProvider, find: Match, names: dict[str, list[str]], expected: str
) -> None:
    finder = KernelFinder([make_provider(item, *kernels) for item, kernels in names.items()])

    assert await find(finder) == expected


@default_both_ways
@pytest.mark.anyio
async def test_the_default_is_not_one_that_is_excluded(
    make_provider: MakeProvider, find: Match
) -> None:
    providers = [make_provider("spec", "python3"), make_provider("pyimport", "kernel")]

    assert await find(KernelFinder(providers, deny=["spec/*"])) == "pyimport/kernel"


@default_both_ways
@pytest.mark.anyio
async def test_the_default_may_be_configured(
    finder: KernelFinder, find: Match, monkeypatch: pytest.MonkeyPatch, make_provider: MakeProvider
) -> None:
    provider = make_provider("spec", "python3", "ir", "env", "xlang")
    config = {"default_kernel": "ir"}

    assert await find(KernelFinder([provider], config=config)) == "spec/ir"
    monkeypatch.setenv("KERNEL_MGMT_DEFAULT_KERNEL", "spec/env")
    assert await find(KernelFinder([provider], config=config)) == "spec/env"
    explicit = KernelFinder([provider], config=config, default_kernel="Spec/xlang")
    assert await find(explicit) == "spec/xlang"


@default_both_ways
@pytest.mark.anyio
async def test_a_configured_default_that_is_not_there_is_an_error(
    finder: KernelFinder, find: Match, make_provider: MakeProvider
) -> None:
    finder = KernelFinder([make_provider("spec", "python3")], default_kernel="spec/gone")

    with pytest.raises(NoSuchKernelError, match="'spec/gone'"):
        await find(finder)


@default_both_ways
@pytest.mark.anyio
async def test_without_any_default_the_error_lists_what_there_is(
    find: Match, make_provider: MakeProvider
) -> None:
    finder = KernelFinder([make_provider("a", "x", "y")])

    with pytest.raises(NoSuchKernelError, match="no other is configured") as raised:
        await find(finder)

    assert raised.value.known == ("a/x", "a/y")


def test_a_default_of_the_wrong_type_is_reported(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("spec", "python3")], config={"default_kernel": 3})

    assert finder.default_kernel() == "spec/python3"
    assert "default_kernel should be a string, and is 3" in finder.problems[0].reason
