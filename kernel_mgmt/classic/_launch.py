"""What a classic manager asks of a launch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from os import PathLike
from secrets import token_hex
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from kernel_mgmt.exceptions import LaunchOptionError
from kernel_mgmt.parameters import fill_argv
from kernel_mgmt.types import LaunchOptions

from ._settings import PORT_NAMES, ConnectionSettings

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo, LaunchParams

    from ._kernel_spec import KernelSpec

__all__ = ("Encryption", "StartKeywords", "command_of", "given_place", "launch_options")

Encryption = Literal["auto", "disabled", "required"]
_Transport = Literal["auto", "tcp", "ipc"]

_PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")


class StartKeywords(TypedDict, total=False):
    """What ``start_kernel`` may be told; a restart keeps it.

    :ivar kernel_id: the id of the kernel; made up if it is missing
    :ivar cwd: the working directory of the kernel
    :ivar env: environment variables that are added to the kernel's
    :ivar extra_arguments: arguments that are appended to the kernel's argv
    :ivar launch_params: values for the kernel's launch parameters
    :ivar transport_encryption: ``"auto"``, ``"disabled"`` or ``"required"``
    :ivar independent: whether the kernel goes on when this program is gone
    """

    kernel_id: str
    cwd: str | PathLike[str] | None
    env: Mapping[str, str] | None
    extra_arguments: Sequence[str] | None
    launch_params: LaunchParams | None
    transport_encryption: Encryption
    independent: bool


def launch_options(
    keywords: StartKeywords,
    kernel_id: str,
    transport: str,
    encryption: Encryption,
    place: ConnectionInfo | None,
) -> LaunchOptions:
    """Return the options of a launch.

    :param encryption: what holds where the keywords say nothing
    :param place: where the kernel is to listen
    """
    return LaunchOptions(
        env=dict(keywords.get("env") or {}),
        extra_arguments=tuple(keywords.get("extra_arguments") or ()),
        transport=cast("_Transport", transport),
        encryption=keywords.get("transport_encryption", encryption),
        kernel_id=kernel_id,
        connection_info=place,
        persist=keywords.get("independent", False),
    )


def given_place(settings: ConnectionSettings, given_ip: str) -> ConnectionInfo | None:
    """Return where a kernel is to listen, if it is told that.

    :param given_ip: the address that was given, if any
    :raises LaunchOptionError: if it is told some of it, and not all
    """
    missing = [name for name in PORT_NAMES if not getattr(settings, name)]
    if len(missing) == len(PORT_NAMES):
        if given_ip or settings.session.key:
            reason = "an address or a key is given, and no ports; give all five ports, too"
            raise LaunchOptionError("connection_info", reason)
        return None
    if missing:
        reason = f"some ports are given, and no {', '.join(missing)}; give all five, or none"
        raise LaunchOptionError("connection_info", reason)
    info = settings.get_connection_info()
    info["transport"] = "tcp" if settings.transport == "auto" else settings.transport
    info["key"] = settings.session.key.decode() or token_hex(32)
    return cast("ConnectionInfo", info)


def command_of(
    spec: KernelSpec,
    connection_file: str,
    kernel_id: str | None,
    launch_params: LaunchParams | None,
    extra_arguments: Sequence[str],
) -> list[str]:
    """Return the command that starts a kernel, with what is known filled in."""
    argv = list(spec.argv)
    if argv and argv[0] in _PYTHON_NAMES:
        argv[0] = sys.executable
    values = {
        **(launch_params or {}),
        "connection_file": connection_file or None,
        "kernel_id": kernel_id,
        "prefix": sys.prefix,
        "resource_dir": spec.resource_dir or None,
    }
    return fill_argv(argv, values) + list(extra_arguments)
