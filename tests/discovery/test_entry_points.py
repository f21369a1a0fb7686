"""Providers that are registered as entry points, and all that may be wrong with them."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Any

import importlib_metadata
import pytest

import kernel_mgmt.discovery
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.discovery._entry_points import Distribution, read_entry_points
from kernel_mgmt.exceptions import ProviderLoadError, UnknownProviderError

from .conftest import GROUP, InstallDistribution, WritePlugin

OLD_GROUP = "jupyter_kernel_mgmt.kernel_type_providers"
GOOD = """
from kernel_mgmt.discovery import KernelProviderBase

class Provider(KernelProviderBase):
    id = "{id}"

    def find_kernels(self):
        yield "x", {{}}

    async def launch(self, name, cwd=None, launch_params=None):
        return {{"transport": "tcp"}}, None
"""


def good(provider_id: str) -> str:
    return GOOD.format(id=provider_id)


def distributions_in(directory: Path) -> list[Distribution]:
    metadata: Any = importlib_metadata
    return list(metadata.distributions(path=[str(directory)]))


def names_of(finder: KernelFinder) -> list[str]:
    return [name for name, _ in finder.find_kernels()]


def test_a_plugin_is_found_through_its_entry_point(write_plugin: WritePlugin) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin("oblong", good("oblong"))])

    assert names_of(finder) == ["oblong/x"]
    assert finder.problems == ()


def test_entry_points_of_the_standard_library_will_do(write_plugin: WritePlugin) -> None:
    plugin = write_plugin("oblong", good("oblong"))
    entry_point = importlib.metadata.EntryPoint(plugin.name, plugin.value, plugin.group)

    assert names_of(KernelFinder.from_entrypoints([entry_point])) == ["oblong/x"]


def test_entry_points_of_other_groups_are_passed_over(write_plugin: WritePlugin) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin("a", good("a"), group="console_scripts")])

    assert finder.provider_ids == ()
    assert finder.problems == ()


def test_plugins_list_in_the_order_of_their_ids(write_plugin: WritePlugin) -> None:
    plugins = [write_plugin(name, good(name)) for name in ("c", "a", "b")]

    assert names_of(KernelFinder.from_entrypoints(plugins)) == ["a/x", "b/x", "c/x"]


def test_nothing_is_imported_before_it_is_needed(write_plugin: WritePlugin) -> None:
    needed = write_plugin("a", good("a"))
    other = write_plugin("b", good("b"))
    finder = KernelFinder.from_entrypoints([needed, other])

    assert not {needed.module, other.module} & set(sys.modules)
    finder.get("a/x")
    assert {needed.module, other.module} & set(sys.modules) == {needed.module}


@pytest.mark.anyio
async def test_a_launch_imports_only_its_provider(write_plugin: WritePlugin) -> None:
    needed = write_plugin("a", good("a"))
    other = write_plugin("b", good("b"))

    await KernelFinder.from_entrypoints([needed, other]).launch("a/x")

    assert {needed.module, other.module} & set(sys.modules) == {needed.module}


BROKEN = {
    "does not parse": ("def (", "SyntaxError"),
    "raises at import": ("raise LookupError('no network')", "LookupError: no network"),
    "leaves at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "has no such class": ("", "AttributeError"),
    "is a function": ("def Provider(): pass", "is not a class but <function Provider"),
    "is an instance": ("Provider = object()", "is not a class but <object object"),
    "is no provider": ("class Provider: id = 'bad'", "it has no find_kernels and no launch"),
    "is abstract": (
        good("bad").replace("async def launch", "async def launch_it"),
        "TypeError: Can't instantiate abstract class",
    ),
    "cannot be made": (
        good("bad") + "    def __init__(self): raise LookupError('no network')",
        "LookupError: no network",
    ),
    "leaves when it is made": (
        good("bad") + "    def __init__(self): raise SystemExit(3)",
        "SystemExit: 3",
    ),
    "cannot be inspected": (
        good("bad") + "    @property\n    def id(self): raise LookupError('no network')",
        "it cannot be inspected: LookupError: no network",
    ),
    "cannot be configured": (
        good("bad") + "    def load_config(self, config=None): raise LookupError('no network')",
        "load_config raised LookupError: no network",
    ),
    "has another id": (good("other"), "its id is 'other', but it is registered as 'bad'"),
    "has no id": (
        good("bad").replace('id = "bad"', "pass"),
        "its id is None, but it is registered as 'bad'",
    ),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_reported_by_name_and_hides_no_other(
    write_plugin: WritePlugin, source: str, reason: str
) -> None:
    plugins = [write_plugin("bad", source), write_plugin("good", good("good"))]
    finder = KernelFinder.from_entrypoints(plugins)

    assert names_of(finder) == ["good/x"]
    (problem,) = finder.problems
    assert problem.provider == "bad"
    assert reason in problem.reason


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_that_is_asked_for_by_name_raises_with_the_cause(
    write_plugin: WritePlugin, source: str, reason: str
) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin("bad", source)])

    with pytest.raises(ProviderLoadError) as raised:
        finder.get("bad/x")

    assert reason in str(raised.value)
    assert raised.value.__cause__ is not None


def test_a_plugin_that_failed_is_not_imported_again(write_plugin: WritePlugin) -> None:
    plugin = write_plugin("bad", "raise LookupError(object())")
    finder = KernelFinder.from_entrypoints([plugin])
    names_of(finder)
    first = finder.problems
    names_of(finder)

    assert finder.problems == first


@pytest.mark.parametrize("value", ["", ":", "no such module:x", "a..b:c", "no_such_module_at_all"])
def test_an_entry_point_that_makes_no_sense_is_reported(value: str) -> None:
    entry_point = importlib_metadata.EntryPoint("bad", value, GROUP)
    finder = KernelFinder.from_entrypoints([entry_point])

    assert names_of(finder) == []
    assert [problem.provider for problem in finder.problems] == ["bad"]


@pytest.mark.parametrize("name", ["Oblong", "a b", "a/b", "", "é"])
def test_an_entry_point_whose_name_is_no_id_is_reported(
    write_plugin: WritePlugin, name: str
) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin(name, good(name))])

    assert names_of(finder) == []
    assert "use only the characters" in (finder.problems[0].fix or "")


def test_an_invalid_id_takes_no_place_of_a_valid_one(write_plugin: WritePlugin) -> None:
    plugins = [write_plugin("Oblong", good("Oblong")), write_plugin("oblong", good("oblong"))]
    finder = KernelFinder.from_entrypoints(plugins)

    assert names_of(finder) == ["oblong/x"]
    assert [problem.provider for problem in finder.problems] == ["Oblong"]


def test_two_distributions_that_claim_one_id_are_reported_and_not_guessed(
    install: InstallDistribution,
) -> None:
    entry_points = [
        *install("first-kernels", f"[{GROUP}]\nx = first:Provider"),
        *install("second-kernels", f"[{GROUP}]\nx = second:Provider"),
    ]
    finder = KernelFinder.from_entrypoints(entry_points)

    assert names_of(finder) == []
    (problem,) = finder.problems
    assert "first:Provider of first-kernels and second:Provider of second-kernels" in problem.reason
    assert problem.fix == "pip uninstall first-kernels or second-kernels"
    with pytest.raises(ProviderLoadError, match="several claim the id 'x'"):
        finder.get("x/y")


def test_the_same_entry_point_seen_twice_is_one(write_plugin: WritePlugin) -> None:
    plugin = write_plugin("a", good("a"))
    finder = KernelFinder.from_entrypoints([plugin, plugin])

    assert names_of(finder) == ["a/x"]
    assert finder.problems == ()


def test_nobody_takes_an_id_of_kernel_mgmt_away(
    install: InstallDistribution, write_plugin: WritePlugin
) -> None:
    own = write_plugin("spec", good("spec"))
    entry_points = [
        *install("a-stranger", f"[{GROUP}]\nspec = stranger:Provider"),
        *install("kernel-mgmt", f"[{GROUP}]\nspec = {own.value}"),
    ]
    finder = KernelFinder.from_entrypoints(entry_points)

    assert names_of(finder) == ["spec/x"]
    (problem,) = finder.problems
    assert problem.distribution == "a-stranger"
    assert problem.fix == "pip uninstall a-stranger"


def test_a_provider_of_the_predecessor_is_named_with_the_line_to_change(
    install: InstallDistribution,
) -> None:
    entry_points = install("old-kernels", f"[{OLD_GROUP}]\nold = old:Provider")
    finder = KernelFinder.from_entrypoints(entry_points)

    assert names_of(finder) == []
    (problem,) = finder.problems
    assert (problem.provider, problem.distribution) == ("old", "old-kernels")
    assert f'[project.entry-points."{OLD_GROUP}"]' in (problem.fix or "")
    assert f'[project.entry-points."{GROUP}"]' in (problem.fix or "")
    with pytest.raises(ProviderLoadError, match="predecessor"):
        finder.get("old/x")


def test_a_provider_that_serves_the_predecessor_too_is_no_problem(
    write_plugin: WritePlugin,
) -> None:
    plugins = [
        write_plugin("a", good("a")),
        write_plugin("a", "raise LookupError", group=OLD_GROUP),
    ]
    finder = KernelFinder.from_entrypoints(plugins)

    assert names_of(finder) == ["a/x"]
    assert finder.problems == ()


@pytest.mark.parametrize(
    ("requires", "fix"),
    [
        (('no-such-module>=1; extra == "gateway"',), "pip install some-kernels[gateway]"),
        (("other; extra == 'remote'",), "pip install some-kernels[remote]"),
        (('unrelated; extra == "else"',), None),
        ((), None),
    ],
    ids=["by the module", "by the name of the provider", "by neither", "without extras"],
)
def test_a_missing_extra_is_reported_with_its_installation(
    install: InstallDistribution,
    write_plugin: WritePlugin,
    requires: tuple[str, ...],
    fix: str | None,
) -> None:
    plugin = write_plugin("remote", "import no_such_module")
    entry_points = install("some-kernels", f"[{GROUP}]\nremote = {plugin.value}", requires)
    finder = KernelFinder.from_entrypoints(entry_points)
    names_of(finder)

    assert finder.problems[0].fix == fix
    if fix:
        with pytest.raises(ProviderLoadError) as raised:
            finder.get("remote/x")
        assert fix in str(raised.value)


def test_a_problem_names_the_distribution(
    install: InstallDistribution, write_plugin: WritePlugin
) -> None:
    plugin = write_plugin("a", "raise LookupError('no network')")
    finder = KernelFinder.from_entrypoints(
        install("some-kernels", f"[{GROUP}]\na = {plugin.value}")
    )
    names_of(finder)

    assert finder.problems[0].distribution == "some-kernels"
    assert str(finder.problems[0]).startswith("a (some-kernels): ")


def test_a_distribution_whose_entry_points_cannot_be_read_hides_no_other(
    install: InstallDistribution, tmp_path: Path
) -> None:
    install("good-kernels", f"[{GROUP}]\na = a:Provider")
    install("bad-kernels", "")
    (tmp_path / "bad_kernels-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe")

    entry_points, problems = read_entry_points(distributions_in(tmp_path))

    assert [entry_point.name for entry_point in entry_points] == ["a"]
    assert [problem.distribution for problem in problems] == ["bad-kernels"]


def test_a_distribution_further_down_the_path_is_hidden_by_the_first(
    install: InstallDistribution, tmp_path: Path
) -> None:
    install("some-kernels", f"[{GROUP}]\na = a:Provider")

    entry_points, _ = read_entry_points(distributions_in(tmp_path) + distributions_in(tmp_path))

    assert [entry_point.name for entry_point in entry_points] == ["a"]


def test_the_installed_providers_are_found_without_arguments() -> None:
    finder = KernelFinder.from_entrypoints()

    assert {"pyimport", "spec"} <= set(finder.provider_ids)
    assert finder.get("pyimport/kernel").get("language") == "python"


def test_the_built_in_providers_come_through_their_entry_points() -> None:
    from kernel_mgmt_pyimport import IPykernelProvider
    from kernel_mgmt_spec import KernelSpecProvider

    assert kernel_mgmt.discovery.KernelSpecProvider is KernelSpecProvider
    assert kernel_mgmt.discovery.IPykernelProvider is IPykernelProvider


def test_a_name_that_discovery_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = kernel_mgmt.discovery.Nonsense


def test_the_import_of_discovery_reads_no_entry_points_and_loads_no_event_loop() -> None:
    script = """
import sys
import kernel_mgmt.discovery
finder = kernel_mgmt.discovery.KernelFinder([])
assert list(finder.find_kernels()) == []
heavy = {"importlib_metadata", "anyio", "asyncio", "zmq", "jsonschema", "kernel_mgmt_spec"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_a_listing_of_the_built_in_providers_loads_no_event_loop() -> None:
    script = """
import sys
from kernel_mgmt.discovery import KernelFinder
assert list(KernelFinder.from_entrypoints().find_kernels())
heavy = {"anyio", "asyncio", "zmq", "jsonschema", "concurrent.futures"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_a_provider_that_is_not_installed_is_unknown(write_plugin: WritePlugin) -> None:
    finder = KernelFinder.from_entrypoints([write_plugin("a", good("a"))])

    with pytest.raises(UnknownProviderError, match="'spec'"):
        finder.get("python3")
