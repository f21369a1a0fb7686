"""What a finder tells of its providers, and what it has them forget."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from kernel_mgmt.discovery import KernelFinder, ProviderReport
from kernel_mgmt.exceptions import ProviderLoadError, UnknownProviderError

from .conftest import InstallDistribution, MakeProvider, WritePlugin

pytestmark = pytest.mark.anyio


def report_of(finder: KernelFinder, provider_id: str) -> ProviderReport:
    return next(item for item in finder.describe_providers() if item.id == provider_id)


def test_before_a_listing_no_provider_is_imported(write_plugin: WritePlugin) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin("oblong", "raise SystemExit")])

    report = report_of(finder, "oblong")

    assert (report.class_name, report.load_time, report.listing_time) == (None, None, None)
    assert (report.kernel_types, report.problems) == ((), ())


def test_after_a_listing_the_times_and_kernel_types_are_known(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("oblong", "a", "b")], deny=["oblong/b"])

    list(finder.find_kernels())

    report = report_of(finder, "oblong")
    assert report.kernel_types == ("oblong/a",)
    assert report.class_name is not None
    assert report.class_name.endswith(".Provider")
    assert report.load_time is not None
    assert report.listing_time is not None


def test_the_distribution_of_a_provider_is_told_with_its_version(
    install: InstallDistribution,
) -> None:
    entry_points = install(
        "oblong-kernels", "[kernel_mgmt.kernel_type_providers]\noblong = nothing:There\n"
    )
    finder = KernelFinder.from_entrypoints(entry_points)

    list(finder.find_kernels())

    report = report_of(finder, "oblong")
    assert (report.distribution, report.version) == ("oblong-kernels", "1.0")
    assert [problem.provider for problem in report.problems] == ["oblong"]


def test_a_provider_that_hangs_has_no_time_for_its_listing(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    finder = KernelFinder([make_provider("slow", find_kernels=forever.wait)], time_limit=0.05)

    list(finder.find_kernels())

    report = report_of(finder, "slow")
    assert report.listing_time is None
    assert "did not answer" in report.problems[0].reason


def test_one_provider_can_be_listed_without_the_others(make_provider: MakeProvider) -> None:
    def never() -> Iterator[object]:
        raise AssertionError("it was asked")

    providers = [make_provider("one", "a"), make_provider("other", find_kernels=never)]
    finder = KernelFinder(providers)

    names = [name for name, _ in finder.find_kernels(provider_id="one")]

    assert (names, finder.problems) == (["one/a"], ())


def test_to_list_an_unknown_provider_is_an_error_at_once(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("one")])

    with pytest.raises(UnknownProviderError, match="did you mean 'one'"):
        finder.find_kernels(provider_id="ome")


def test_a_provider_is_handed_out_ready_for_use(make_provider: MakeProvider) -> None:
    provider = make_provider("one")

    assert KernelFinder([provider]).load_provider("One") is provider


def test_a_provider_that_cannot_be_used_is_not_handed_out(write_plugin: WritePlugin) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin("oblong", "raise ImportError('no')")])

    with pytest.raises(ProviderLoadError, match="cannot be imported"):
        finder.load_provider("oblong")


async def test_a_provider_forgets_what_it_remembers_once_for_each_time_it_is_told(
    make_provider: MakeProvider,
) -> None:
    calls: list[str] = []
    provider = make_provider("one", "a", refresh=lambda: calls.append("refresh"))
    finder = KernelFinder([provider])
    list(finder.find_kernels())

    finder.refresh()
    names = [name async for name, _ in finder.find_kernels_async()]
    list(finder.find_kernels())

    assert (names, calls) == (["one/a"], ["refresh"])
    assert report_of(finder, "one").has_refresh


def test_a_single_kernel_type_is_also_asked_for_after_the_refresh(
    make_provider: MakeProvider,
) -> None:
    calls: list[str] = []

    def get_kernel(name: str) -> dict[str, object]:
        calls.append(name)
        return {}

    provider = make_provider("one", refresh=lambda: calls.append("refresh"), get_kernel=get_kernel)
    finder = KernelFinder([provider])

    finder.refresh()
    finder.get("one/a")

    assert calls == ["refresh", "a"]


def test_a_refresh_that_fails_is_a_problem_and_hides_no_other(make_provider: MakeProvider) -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    finder = KernelFinder([make_provider("one", "a", refresh=fail), make_provider("two", "b")])

    finder.refresh()
    names = [name for name, _ in finder.find_kernels()]

    assert names == ["two/b"]
    (problem,) = finder.problems
    assert problem.reason == "refresh raised OSError: the disk is full"


def test_a_provider_without_memory_has_nothing_to_forget(make_provider: MakeProvider) -> None:
    finder = KernelFinder([make_provider("one", "a")])

    finder.refresh()
    names = [name for name, _ in finder.find_kernels()]

    assert (names, report_of(finder, "one").has_refresh) == (["one/a"], False)
