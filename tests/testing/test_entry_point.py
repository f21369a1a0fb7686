"""check_entry_point says what is wrong with an entry point."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from kernel_mgmt.abc import KernelProviderBase
from kernel_mgmt.testing import check_entry_point
from kernel_mgmt.types import Problem
from kernel_mgmt_spec import KernelSpecProvider

GROUP = "kernel_mgmt.kernel_type_providers"


class Provider(KernelProviderBase):
    id = "oblong"
    configured_with: object = "nothing yet"

    def load_config(self, config: Any = None) -> None:
        self.configured_with = config

    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        yield "rounded", {"display_name": "Oblong"}

    async def launch(
        self, name: str, cwd: Any = None, launch_params: Any = None, *, options: Any = None
    ) -> Any: ...


@dataclass
class Distribution:
    name: str


@dataclass
class EntryPoint:
    """An entry point of a distribution that is not installed."""

    loaded: object
    name: str = "oblong"
    group: str = GROUP
    value: str = "kernel_mgmt_oblong:Provider"
    dist: Distribution | None = None

    def load(self) -> Any:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


def check_fails(*entry_points: EntryPoint) -> str:
    with pytest.raises(AssertionError) as caught:
        check_entry_point("oblong", entry_points)
    return str(caught.value)


def test_the_provider_is_returned_loaded_and_configured() -> None:
    provider = check_entry_point("oblong", [EntryPoint(Provider)])

    assert isinstance(provider, Provider)
    assert provider.configured_with is None


def test_an_installed_provider_is_found() -> None:
    provider = check_entry_point("spec")

    assert isinstance(provider, KernelSpecProvider)


def test_a_name_that_is_not_registered_fails_with_those_that_are() -> None:
    said = check_fails(EntryPoint(Provider, name="square"), EntryPoint(Provider, name="round"))

    assert re.match(r"No distribution registers 'oblong' .* which has round, square;", said)
    assert f'[project.entry-points."{GROUP}"]' in said


def test_the_group_of_the_predecessor_fails_with_the_line_to_change() -> None:
    said = check_fails(EntryPoint(Provider, group=f"jupyter_{GROUP}"))

    assert "change" in said
    assert f'[project.entry-points."{GROUP}"]' in said


def test_two_distributions_of_one_name_fail_with_both() -> None:
    one = EntryPoint(Provider, value="one:Provider", dist=Distribution("one"))
    two = EntryPoint(Provider, value="two:Provider", dist=Distribution("two"))

    said = check_fails(one, two)

    assert "one:Provider of one and two:Provider of two" in said


def test_what_cannot_be_imported_fails_with_the_reason() -> None:
    said = check_fails(EntryPoint(ImportError("no module named shapes")))

    assert "kernel_mgmt_oblong:Provider cannot be imported" in said
    assert "no module named shapes" in said


def test_what_is_no_provider_fails() -> None:
    said = check_fails(EntryPoint(dict))

    assert "is not a kernel provider" in said


def test_another_id_fails() -> None:
    class Other(Provider):
        id = "round"

    said = check_fails(EntryPoint(Other))

    assert "its id is 'round', but it is registered as 'oblong'" in said


def test_a_listing_that_raises_fails() -> None:
    class Raising(Provider):
        def find_kernels(self) -> Iterator[tuple[str, Any]]:
            raise OSError("no shapes today")

    said = check_fails(EntryPoint(Raising))

    assert "find_kernels raised OSError: no shapes today" in said


def test_every_problem_of_the_listing_is_told() -> None:
    class Problematic(Provider):
        @property
        def problems(self) -> tuple[Problem, ...]:
            return (Problem("oblong", "one"), Problem("oblong", "two"))

    said = check_fails(EntryPoint(Problematic))

    assert said.split("\n") == ["oblong: one", "oblong: two"]


def test_an_empty_listing_fails() -> None:
    class Empty(Provider):
        def find_kernels(self) -> Iterator[tuple[str, Any]]:
            return iter(())

    said = check_fails(EntryPoint(Empty))

    assert said == "The kernel provider 'oblong' lists no kernel type"
