"""Ask one provider for one kernel type."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from kernel_mgmt.exceptions import KernelManagementError, NoSuchKernelError, ProviderLoadError

from ._attributes import normalise
from ._faults import show
from ._search import gather, list_all

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelProviderBase
    from kernel_mgmt.types import KernelAttributes

    from ._listing import Found, Listing
    from ._registered import RegisteredProvider

# Each function takes the name within the provider, and so do the errors that it raises.


def ask(provider: RegisteredProvider, name: str, limit: float) -> Found:
    """Return a kernel type, by the provider's ``get_kernel`` or else by its listing.

    A ``get_kernel`` that is not asynchronous runs in this thread, without a time limit: it is
    asked for often, and whoever calls this waits for nobody else.

    :return: the name as the provider spells it, and the attributes
    :raises NoSuchKernelError: if the provider has no such kernel type
    :raises ProviderLoadError: if the provider cannot be used
    """
    get_kernel = _get_kernel(provider.load_within(limit))
    if get_kernel is not None:
        try:
            return name, _told(provider, get_kernel, name, limit)
        except NoSuchKernelError as error:
            # The listing may have it in another spelling, and knows what else there is.
            if error.reason is not None:
                raise
    (listing,) = list_all([provider], limit)
    return _find(listing, name)


async def ask_async(provider: RegisteredProvider, name: str, limit: float) -> Found:
    """Return a kernel type, by the provider's ``get_kernel`` or else by its listing.

    :return: the name as the provider spells it, and the attributes
    :raises NoSuchKernelError: if the provider has no such kernel type
    :raises ProviderLoadError: if the provider cannot be used
    """
    get_kernel = _get_kernel(await provider.load_within_async(limit))
    if get_kernel is not None:
        told = partial(_told, provider, get_kernel, name)
        try:
            return name, await provider.run_async(told, limit)
        except NoSuchKernelError as error:
            if error.reason is not None:
                raise
    (listing,) = await gather([provider], limit)
    return _find(listing, name)


def _get_kernel(provider: KernelProviderBase) -> Callable[[str], object] | None:
    return getattr(provider, "get_kernel", None)


def _told(
    provider: RegisteredProvider,
    get_kernel: Callable[[str], object],
    name: str,
    limit: float | None = None,
) -> KernelAttributes:
    """Return what ``get_kernel`` tells.

    :param limit: the seconds that an asynchronous one is given, on a thread of its own; ``None``
        if this is such a thread
    """
    try:
        told = get_kernel(name)
        if _is_awaitable(told):
            wait = partial(_run, told)
            told = wait() if limit is None else provider.run(wait, limit)
        return _attributes(provider, name, told)
    except (KernelManagementError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise provider.fault("get_kernel", error) from error


def _is_awaitable(told: object) -> TypeGuard[Awaitable[object]]:
    # The first test is the usual answer, and the quick one.
    return not isinstance(told, dict) and isawaitable(told)


def _attributes(provider: RegisteredProvider, name: str, told: object) -> KernelAttributes:
    if isinstance(told, Mapping):
        return normalise(name, cast("Mapping[str, Any]", told), lambda _: None)
    reason = f"get_kernel returned {show(told)}, not the attributes of a kernel type"
    raise ProviderLoadError(provider.id, reason)


def _find(listing: Listing, name: str) -> Found:
    found = listing.find(name)
    if found is not None:
        return found
    problem = listing.problem_of(name)
    if problem is not None:
        reason = f"{problem.name}: {problem.reason}"
        raise ProviderLoadError(listing.provider.id, reason) from problem.exception
    if listing.error is not None:
        raise listing.error
    raise NoSuchKernelError(name, _names(listing))


def _names(listing: Listing) -> list[str]:
    return [name for name, _ in listing.kernels]


def _run(awaitable: Awaitable[object]) -> object:
    import anyio

    async def wait() -> object:
        return await awaitable

    return anyio.run(wait, backend="asyncio")
