"""The providers that are installed, and what they cannot list."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem

if TYPE_CHECKING:
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import Problem

_OLD_GROUP = "jupyter_kernel_mgmt.kernel_type_providers"
_NEW_GROUP = "kernel_mgmt.kernel_type_providers"


def check_providers(finder: KernelFinder) -> Iterator[tuple[str, Finding]]:
    """Tell of each provider whether it can be used, and of each kernel type that is broken."""
    listed = [name for name, _ in finder.find_kernels()]
    problems = finder.problems
    broken = {item.provider for item in problems if not item.name and not item.path}
    for provider_id in finder.provider_ids:
        if provider_id not in broken:
            number = sum(name.startswith(f"{provider_id.lower()}/") for name in listed)
            yield f"provider {provider_id}", ok(f"can be used; kernel types: {number}")
    for item in problems:
        yield _about(item), _finding(item, listed)


def check_old_group(entry_points: metadata.EntryPoints | None = None) -> Finding:
    """Tell whether a provider is registered where the predecessor looked for them.

    :param entry_points: those of all installed distributions when ``None``
    """
    all_points = metadata.entry_points() if entry_points is None else entry_points
    old = sorted(point.name for point in all_points.select(group=_OLD_GROUP))
    if not old:
        return ok("no provider is registered in it")
    return problem(
        f"{', '.join(old)} in {_OLD_GROUP}", f"register them in {_NEW_GROUP}, in their packaging"
    )


def _about(item: Problem) -> str:
    return f"kernel type {item.provider}/{item.name}" if item.name else f"provider {item.provider}"


def _finding(item: Problem, listed: list[str]) -> Finding:
    seen = f"{item.path}: {item.reason}" if item.path else item.reason
    # One that is listed all the same can be used.
    usable = bool(item.name) and f"{item.provider}/{item.name}".lower() in listed
    return (note if usable else problem)(seen, item.fix or "")
