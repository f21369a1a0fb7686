"""Whatever strangers and callers come up with, only typed errors come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st
from importlib_metadata import EntryPoint

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import KernelManagementError
from kernel_mgmt.types import Problem

from .conftest import GROUP, ListingProvider

OLD_GROUP = f"jupyter_{GROUP}"
few = settings(max_examples=150, deadline=None)

texts = st.text(max_size=8) | st.sampled_from(["a", "spec", "A", "a/b", "os", "../x", "a\nb"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from(
    [
        "display_name",
        "language",
        "language_info",
        "argv",
        "env",
        "resource_dir",
        "interrupt_mode",
        "metadata",
        "kernel_protocol_version",
        "launch_parameters",
    ]
)
attributes = st.dictionaries(keys | texts, values, max_size=6)
items = st.tuples(texts, attributes) | st.tuples(values, values) | values
entry_points = st.builds(
    EntryPoint,
    name=texts,
    value=texts | st.sampled_from(["os:path", "os:PathLike", "builtins:dict", "json:", "no.such"]),
    group=st.sampled_from([GROUP, OLD_GROUP, "console_scripts"]),
)
names = texts | st.builds("/".join, st.lists(texts, min_size=2, max_size=3))

ALWAYS = {"display_name", "language", "language_info", "env", "interrupt_mode", "metadata"}


def ask_in_every_way(finder: KernelFinder, name: str) -> None:
    ways: tuple[Callable[[], object], ...] = (
        partial(finder.get, name),
        partial(anyio.run, partial(finder.get_async, name)),
        partial(anyio.run, partial(finder.launch, name)),
    )
    for ask in ways:
        with suppress(KernelManagementError):
            ask()


@few
@given(st.lists(items, max_size=5), names)
def test_whatever_a_provider_lists_has_one_shape(found: list[Any], name: str) -> None:
    class Provider(ListingProvider):
        id = "a"

        def find_kernels(self) -> Iterator[Any]:
            return iter(found)

    finder = KernelFinder([Provider()])
    listed = list(finder.find_kernels())

    for full_name, told in listed:
        assert full_name.startswith("a/")
        assert set(told) >= ALWAYS
        assert finder.get(full_name) == told
    assert all(isinstance(problem, Problem) and str(problem) for problem in finder.problems)
    assert len({full_name.lower() for full_name, _ in listed}) == len(listed)
    ask_in_every_way(finder, name)


@few
@given(st.lists(entry_points, max_size=4), names)
def test_whatever_is_registered_only_typed_errors_come_out(
    registered: list[EntryPoint], name: str
) -> None:
    finder = KernelFinder.from_entrypoints(registered, {})

    assert list(finder.find_kernels()) == []
    assert all(isinstance(problem, Problem) and str(problem) for problem in finder.problems)
    claimed = {point.name for point in registered if point.group in {GROUP, OLD_GROUP}}
    assert {problem.provider for problem in finder.problems} == claimed
    ask_in_every_way(finder, name)


@few
@given(st.dictionaries(texts | st.sampled_from(["allow", "deny", "providers"]), values), names)
def test_whatever_is_configured_only_typed_errors_come_out(
    config: dict[str, Any], name: str
) -> None:
    class Provider(ListingProvider):
        id = "a"
        names = ("b",)

    finder = KernelFinder([Provider()], config=config)

    assert {found for found, _ in finder.find_kernels()} <= {"a/b"}
    ask_in_every_way(finder, name)
