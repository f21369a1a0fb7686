"""Read the entry points that providers are registered under."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from kernel_mgmt.types import Problem

from ._faults import describe
from ._scan import UnusualError, scan

GROUP = "kernel_mgmt.kernel_type_providers"
PREDECESSORS_GROUP = "jupyter_kernel_mgmt.kernel_type_providers"


class EntryPoint(Protocol):
    """An entry point, as importlib_metadata and importlib.metadata have it."""

    @property
    def name(self) -> str: ...

    @property
    def value(self) -> str: ...

    @property
    def group(self) -> str: ...

    def load(self) -> Any: ...


class Distribution(Protocol):
    """An installed distribution, as importlib_metadata has it."""

    @property
    def name(self) -> str: ...

    @property
    def entry_points(self) -> Iterable[EntryPoint]: ...


def installed_entry_points() -> tuple[Sequence[EntryPoint], Sequence[Problem]]:
    """Return the entry points of all installed distributions, and what could not be read.

    Those of other groups than that of providers may be missing.
    """
    try:
        return scan((GROUP, PREDECESSORS_GROUP)), ()
    except UnusualError:
        return _all_entry_points()


def _all_entry_points() -> tuple[Sequence[EntryPoint], Sequence[Problem]]:
    import importlib_metadata

    # Its functions have untyped keyword arguments.
    metadata: Any = importlib_metadata
    try:
        return metadata.entry_points(), ()
    except Exception:  # noqa: BLE001 - read one by one, the broken distribution is found
        return read_entry_points(metadata.distributions())


def read_entry_points(
    distributions: Iterable[Distribution],
) -> tuple[Sequence[EntryPoint], Sequence[Problem]]:
    """Return the entry points of distributions, and what could not be read."""
    entry_points: list[EntryPoint] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for distribution in distributions:
        name = _name(distribution) or "a distribution without a name"
        # The same distribution further down the path is hidden by the first.
        if name in seen:
            continue
        seen.add(name)
        try:
            entry_points += distribution.entry_points
        except Exception as error:  # noqa: BLE001 - reported
            reason = f"its entry points cannot be read: {describe(error)}"
            fix = f"pip install --force-reinstall {name}"
            problems.append(Problem(name, reason, distribution=name, fix=fix, exception=error))
    return entry_points, problems


def load_class(provider_id: str, name: str) -> object:
    """Load the class ``name`` that is registered as the provider ``provider_id``.

    :raises AttributeError: if there is none
    """
    for entry_point in installed_entry_points()[0]:
        is_claim = entry_point.group == GROUP and entry_point.name == provider_id
        if is_claim and entry_point.value.endswith(f":{name}"):
            return entry_point.load()
    raise AttributeError(
        f"{name} is not there: no distribution registers it in the group {GROUP!r}; "
        "run pip install kernel-mgmt"
    )


def distribution_of(entry_point: EntryPoint) -> str | None:
    """Return the name of the distribution that an entry point comes from, if it is known."""
    distribution = getattr(entry_point, "dist", None)
    return None if distribution is None else _name(distribution)


def version_of(entry_point: EntryPoint) -> str | None:
    """Return the version of the distribution that an entry point comes from, if it is known."""
    try:
        return str(getattr(entry_point, "dist").version)  # noqa: B009
    except Exception:  # noqa: BLE001 - metadata that cannot be read tells no version
        return None


def _name(distribution: Distribution) -> str | None:
    try:
        return str(distribution.name)
    except Exception:  # noqa: BLE001 - metadata that cannot be read tells no name
        return None
