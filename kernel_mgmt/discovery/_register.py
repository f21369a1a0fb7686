"""Give each provider its place under its id, and refuse what can have none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from kernel_mgmt.abc import KernelProviderBase
from kernel_mgmt.exceptions import ProviderLoadError

from ._entry_points import GROUP, PREDECESSORS_GROUP, EntryPoint, distribution_of, version_of
from ._faults import UnusableError, show
from ._load import Section, load_entry_point, prepare
from ._names import is_provider_id
from ._registered import RegisteredProvider

_OWN_DISTRIBUTION = "kernel-mgmt"
_VALID_ID = "use only the characters a-z, 0-9, '.', '_' and '-'"


def register_providers(providers: Iterable[object], section: Section) -> list[RegisteredProvider]:
    """Register providers that are there already; those of one id are all refused."""
    by_id: dict[str, list[object]] = {}
    for provider in providers:
        by_id.setdefault(_id_of(provider), []).append(provider)
    registered: list[RegisteredProvider] = []
    for provider_id, claims in by_id.items():
        source: Callable[[], KernelProviderBase] | UnusableError
        if not is_provider_id(provider_id):
            source = UnusableError(f"{provider_id!r} cannot be the id of a provider", _VALID_ID)
        elif len(claims) > 1:
            source = UnusableError(f"several have its id: {', '.join(map(show, claims))}")
        else:
            source = partial(prepare, claims[0], provider_id, section)
        provider = RegisteredProvider(provider_id, source)
        registered.append(provider)
        if getattr(type(claims[0]), "load_config", None) is KernelProviderBase.load_config:
            # It has no code of its own that might hang: the first use need not start a thread.
            with suppress(ProviderLoadError):
                provider.load()
    return registered


def register_entry_points(
    entry_points: Iterable[EntryPoint], section: Section
) -> list[RegisteredProvider]:
    """Make a provider of each id, and of each claim that cannot be granted one that says so."""
    claims: dict[str, list[EntryPoint]] = {}
    predecessors: list[EntryPoint] = []
    for entry_point in entry_points:
        if entry_point.group == GROUP:
            claims.setdefault(entry_point.name, []).append(entry_point)
        elif entry_point.group == PREDECESSORS_GROUP:
            predecessors.append(entry_point)
    granted = [provider for name in sorted(claims) for provider in _grant(claims[name], section)]
    moved = [point for point in predecessors if point.name not in claims]
    return granted + [_refused(point, _wrong_group(point)) for point in moved]


def _grant(claims: list[EntryPoint], section: Section) -> list[RegisteredProvider]:
    name = claims[0].name
    if not is_provider_id(name):
        return [_refused(claim, _invalid_id(claim)) for claim in claims]
    if len(claims) > 1:
        claims = list({(distribution_of(claim), claim.value): claim for claim in claims}.values())
    # What kernel-mgmt itself brings, no stranger can take away.
    own = [claim for claim in claims if len(claims) > 1 and _is_own(claim)]
    if len(own) == 1:
        others = [claim for claim in claims if claim is not own[0]]
        return [
            *_grant(own, section),
            *(_refused(other, _claimed_by_several(claims)) for other in others),
        ]
    if len(claims) > 1:
        return [_refused(claims[0], _claimed_by_several(claims))]
    (claim,) = claims
    return [_registered(claim, partial(load_entry_point, claim, section))]


def _refused(claim: EntryPoint, failure: UnusableError) -> RegisteredProvider:
    return _registered(claim, failure)


def _registered(
    claim: EntryPoint, source: Callable[[], KernelProviderBase] | UnusableError
) -> RegisteredProvider:
    distribution, version = partial(distribution_of, claim), partial(version_of, claim)
    return RegisteredProvider(claim.name, source, distribution, version)


def _invalid_id(claim: EntryPoint) -> UnusableError:
    return UnusableError(
        f"the name of its entry point, {claim.name!r}, cannot be the id of a provider",
        _VALID_ID,
    )


def _claimed_by_several(claims: Sequence[EntryPoint]) -> UnusableError:
    origins = " and ".join(
        f"{claim.value} of {distribution_of(claim) or 'an unknown distribution'}"
        for claim in claims
    )
    others = sorted({distribution_of(claim) or "?" for claim in claims if not _is_own(claim)})
    fix = f"pip uninstall {' or '.join(others)}"
    return UnusableError(f"several claim the id {claims[0].name!r}: {origins}", fix)


def _wrong_group(claim: EntryPoint) -> UnusableError:
    return UnusableError(
        "it is registered for the predecessor, jupyter_kernel_mgmt",
        "in the packaging of the provider, change "
        f'[project.entry-points."{PREDECESSORS_GROUP}"] to [project.entry-points."{GROUP}"]',
    )


def _is_own(claim: EntryPoint) -> bool:
    return distribution_of(claim) == _OWN_DISTRIBUTION


def _id_of(provider: object) -> str:
    try:
        provider_id: object = getattr(provider, "id", None)
    except Exception:  # noqa: BLE001 - what has no id is known by its type
        provider_id = None
    return provider_id if isinstance(provider_id, str) else show(provider)
