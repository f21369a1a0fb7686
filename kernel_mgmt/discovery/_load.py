"""Make a provider ready for use: import, make, check and configure it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ._faults import UnusableError, describe, show

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelProviderBase

    from ._entry_points import EntryPoint

Section: TypeAlias = Callable[[str, str], Mapping[str, Any] | None]
"""Returns the section of the configuration for a provider's id and the name of its class."""

_METHODS = ("find_kernels", "launch")


def load_entry_point(entry_point: EntryPoint, section: Section) -> KernelProviderBase:
    """Import the class that an entry point names, and make a provider of it.

    :raises UnusableError: if that fails, or it is no provider, or has another id
    """
    loaded = _import(entry_point)
    if not isinstance(loaded, type):
        raise UnusableError(f"{entry_point.value} is not a class but {show(loaded)}")
    try:
        provider = cast("object", loaded())
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UnusableError(f"{entry_point.value}() raised {describe(error)}") from error
    return prepare(provider, entry_point.name, section)


def prepare(provider: object, provider_id: str, section: Section) -> KernelProviderBase:
    """Check that an object is a provider of this id, and hand it its configuration.

    It need not be a :class:`KernelProviderBase`; it needs its methods.

    :raises UnusableError: if it is no provider, has another id, or cannot be configured
    """
    try:
        _check(provider, provider_id)
        load_config = getattr(provider, "load_config", None)
    except (KeyboardInterrupt, UnusableError):
        raise
    except BaseException as error:
        raise UnusableError(f"it cannot be inspected: {describe(error)}") from error
    if load_config is not None:
        try:
            load_config(section(provider_id, type(provider).__name__))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise UnusableError(f"load_config raised {describe(error)}") from error
    return cast("KernelProviderBase", provider)


def _check(provider: object, provider_id: str) -> None:
    missing = [name for name in _METHODS if not callable(getattr(provider, name, None))]
    if missing:
        raise UnusableError(
            f"{type(provider).__name__} is not a kernel provider: it has no {' and no '.join(missing)}",
            "derive it from kernel_mgmt.abc.KernelProviderBase",
        )
    own_id = getattr(provider, "id", None)
    if own_id != provider_id:
        raise UnusableError(
            f"its id is {show(own_id)}, but it is registered as {provider_id!r}",
            "make the name of the entry point and the id of the class the same",
        )


def _import(entry_point: EntryPoint) -> object:
    try:
        return entry_point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        from ._extras import installation_of

        fix = installation_of(entry_point, error)
        raise UnusableError(
            f"{entry_point.value} cannot be imported: {describe(error)}", fix
        ) from error
