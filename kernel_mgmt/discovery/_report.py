"""What a finder has learned of its providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kernel_mgmt.types import Problem

    from ._registered import RegisteredProvider


class ProviderReport(NamedTuple):
    """What a finder has learned of one provider; what it has not is ``None``.

    :ivar id: the first part of the names of its kernel types
    :ivar class_name: its class, with the module
    :ivar distribution: the name of the distribution that it comes from
    :ivar version: the version of that distribution
    :ivar load_time: how long it took to import, make and configure it, in seconds
    :ivar listing_time: how long the last listing took that has come to an end, in seconds
    :ivar kernel_types: the names of what the last listing found, without what is excluded
    :ivar problems: why it cannot be used, or what the last listing could not list
    :ivar has_refresh: whether it remembers things that :meth:`KernelFinder.refresh` has it forget
    """

    id: str
    class_name: str | None
    distribution: str | None
    version: str | None
    load_time: float | None
    listing_time: float | None
    kernel_types: tuple[str, ...]
    problems: tuple[Problem, ...]
    has_refresh: bool


def report(provider: RegisteredProvider, kernel_types: tuple[str, ...]) -> ProviderReport:
    """Report what is known of a provider; it is asked nothing."""
    loaded, load_problem = provider.loaded, provider.load_problem
    return ProviderReport(
        provider.id,
        None if loaded is None else _public_name(type(loaded)),
        provider.distribution,
        provider.version,
        provider.load_time,
        provider.listing_time,
        kernel_types,
        tuple(provider.problems) if load_problem is None else (load_problem,),
        provider.has_refresh,
    )


def _public_name(kind: type) -> str:
    # A package hands on what it defines in a private module.
    return f"{kind.__module__.partition('._')[0]}.{kind.__qualname__}"
