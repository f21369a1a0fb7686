"""Launch a kernel where a program expects it, or else where a relay can reach it."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from kernel_mgmt.exceptions import LaunchOptionError

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import ConnectionInfo, LaunchOptions, LaunchParams

__all__ = ("is_as_asked", "launch")

_ADDRESS = ("transport", "ip", "shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_KEYS = ("key", "curve_publickey", "curve_secretkey")


async def launch(
    finder: KernelFinder,
    kernel_type: str,
    cwd: str | PathLike[str] | None = None,
    launch_params: LaunchParams | None = None,
    *,
    options: LaunchOptions,
) -> tuple[ConnectionInfo, KernelManagerABC | None]:
    """Launch a kernel as it is asked for; where it cannot listen so, as its provider has it listen.

    An encryption that is required is never given up.

    :raises KernelManagementError: if the kernel cannot be launched
    """
    try:
        return await finder.launch(kernel_type, cwd, launch_params, options=options)
    except LaunchOptionError as error:
        elsewhere = _elsewhere(options)
        if error.option not in ("connection_info", "transport", "encryption"):
            raise
        if options == elsewhere:
            raise
    return await finder.launch(kernel_type, cwd, launch_params, options=elsewhere)


def is_as_asked(connection_info: ConnectionInfo, asked: ConnectionInfo | None) -> bool:
    """Whether programs that know ZeroMQ reach a kernel as they expect to.

    :param asked: what they expect; any address of ZeroMQ when ``None``
    """
    if connection_info.get("transport", "tcp") not in ("tcp", "ipc"):
        return False
    return asked is None or all(
        connection_info.get(name) == asked.get(name) for name in (*_ADDRESS, *_KEYS)
    )


def _elsewhere(options: LaunchOptions) -> LaunchOptions:
    elsewhere = replace(options, connection_info=None, transport="auto")
    return elsewhere if options.encryption == "required" else replace(elsewhere, encryption="auto")
