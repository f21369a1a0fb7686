"""Check the entry point of a provider."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kernel_mgmt.discovery._entry_points import (
    GROUP,
    EntryPoint,
    installed_entry_points,
)
from kernel_mgmt.discovery._register import register_entry_points
from kernel_mgmt.discovery._search import list_all
from kernel_mgmt.exceptions import ProviderLoadError

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelProviderBase
    from kernel_mgmt.discovery._registered import RegisteredProvider
    from kernel_mgmt.types import Problem


def check_entry_point(
    name: str, entry_points: Iterable[EntryPoint] | None = None, *, time_limit: float = 5.0
) -> KernelProviderBase:
    """Load the provider that is registered under a name, and list its kernel types.

    It is loaded as :class:`~kernel_mgmt.discovery.KernelFinder` does it, without configuration. ::

        def test_the_entry_point():
            assert isinstance(check_entry_point("oblong"), OblongKernelProvider)

    :param entry_points: by default, those of all installed distributions
    :param time_limit: the seconds that the provider is given
    :return: the provider
    :raises AssertionError: if no distribution registers the name, or more than one does; if the
        provider cannot be loaded, is none, or has another id; or if it has problems with its
        listing. The message names them all.
    """
    unreadable: Sequence[Problem] = ()
    if entry_points is None:
        entry_points, unreadable = installed_entry_points()
    entry_points = list(entry_points)
    claims = [point for point in entry_points if point.name == name]
    registered = register_entry_points(claims, _no_configuration)
    if not registered:
        raise AssertionError(_not_registered(name, entry_points, unreadable))
    refusals = [provider.load_problem for provider in registered if provider.load_problem]
    _fail_for(refusals)
    return _load_and_list(registered[0], time_limit)


def _no_configuration(_provider_id: str, _class_name: str) -> None:
    return None


def _load_and_list(registered: RegisteredProvider, time_limit: float) -> KernelProviderBase:
    try:
        provider = registered.load_within(time_limit)
    except ProviderLoadError as error:
        raise AssertionError(str(error)) from error
    for listing in list_all([registered], time_limit):
        _fail_for(registered.problems)
        if not listing.kernels:
            raise AssertionError(f"The kernel provider {registered.id!r} lists no kernel type")
    return provider


def _fail_for(problems: Iterable[Problem]) -> None:
    said = "\n".join(map(str, problems))
    if said:
        raise AssertionError(said)


def _not_registered(
    name: str, entry_points: Sequence[EntryPoint], unreadable: Sequence[Problem]
) -> str:
    known = ", ".join(sorted({point.name for point in entry_points if point.group == GROUP}))
    message = (
        f"No distribution registers {name!r} in the group {GROUP!r}, which has {known or 'nothing'}; "
        f'add it to [project.entry-points."{GROUP}"] of yours, and install that again'
    )
    return "\n".join([message, *map(str, unreadable)])
