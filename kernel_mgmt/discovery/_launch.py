"""Launch, or take hold of kernels, through a provider that may know less than today's contract."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from kernel_mgmt.exceptions import (
    KernelLaunchError,
    KernelManagementError,
    LaunchOptionError,
    ReattachError,
)
from kernel_mgmt.types import LaunchOptions

from ._errand import Errand
from ._faults import describe, show

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
    from kernel_mgmt.records import KernelRecord
    from kernel_mgmt.types import ConnectionInfo, LaunchParams

    Launched = tuple[ConnectionInfo, KernelManagerABC | None]


async def launch_through(
    provider: KernelProviderBase,
    name: str,
    cwd: str | PathLike[str] | None,
    launch_params: LaunchParams | None,
    options: LaunchOptions | None,
) -> Launched:
    """Launch a kernel through its provider.

    :raises LaunchOptionError: if an option is asked for, and the provider can take none
    :raises KernelLaunchError: if the provider raises what is no error of kernel_mgmt, or returns
        what is not connection info with a manager
    """
    keywords = _keywords(provider, options)
    try:
        launched: object = await provider.launch(name, cwd, launch_params, **keywords)
    except KernelManagementError:
        raise
    except (Exception, SystemExit) as error:
        raise _launch_error(provider, name, f"raised {describe(error)}") from error
    if _is_pair(launched):
        connection_info, manager = launched
        return connection_info, manager
    raise _launch_error(
        provider, name, f"returned {show(launched)}, not connection info with a manager"
    )


async def reattach_through(provider: KernelProviderBase, record: KernelRecord) -> KernelManagerABC:
    """Take hold of a running kernel through its provider.

    :raises ReattachError: if the provider cannot, or raises what is no error of kernel_mgmt
    """
    reattach = getattr(provider, "reattach", None)
    if reattach is None:
        reason = f"the kernel provider {provider.id!r} cannot take hold of kernels"
        raise ReattachError(record.kernel_id, reason)
    try:
        manager: KernelManagerABC = await reattach(record)
    except KernelManagementError:
        raise
    except (Exception, SystemExit) as error:
        reason = f"the kernel provider {provider.id!r} raised {describe(error)}"
        raise ReattachError(record.kernel_id, reason) from error
    return manager


async def check_parameters(
    name: str,
    schema: Mapping[str, Any],
    launch_params: LaunchParams | None,
    allow_insecure: bool,
) -> LaunchParams:
    """Return launch parameters with their defaults, once they have been found to fit.

    :raises LaunchParameterError: if they do not
    """
    from kernel_mgmt.parameters import validate

    check = partial(validate, name, schema, launch_params, allow_insecure=allow_insecure)
    # A schema of a stranger may take for ever, and the first of a process loads jsonschema.
    return await Errand(check, f"kernel_mgmt launch parameters of {name}").run()


def _keywords(provider: KernelProviderBase, options: LaunchOptions | None) -> dict[str, Any]:
    asked = _asked_for(options)
    if not asked:
        return {}
    parameters = inspect.signature(provider.launch).parameters.values()
    if any(item.name == "options" or item.kind is item.VAR_KEYWORD for item in parameters):
        return {"options": options}
    raise LaunchOptionError(asked[0], f"the kernel provider {provider.id!r} takes no options")


def _asked_for(options: LaunchOptions | None) -> list[str]:
    if options is None:
        return []
    default = LaunchOptions()
    names = [field.name for field in fields(options)]
    return [
        name
        for name in names
        if (getattr(options, name) or None) != (getattr(default, name) or None)
    ]


def _is_pair(launched: object) -> TypeGuard[Launched]:
    if not isinstance(launched, tuple | list):
        return False
    items = cast("Sequence[object]", launched)
    return len(items) == 2 and isinstance(items[0], Mapping)


def _launch_error(provider: KernelProviderBase, name: str, what: str) -> KernelLaunchError:
    return KernelLaunchError(
        f"The launch of {name!r} by the kernel provider {provider.id!r} {what}"
    )
