"""Launch a kernel where a program expects it, or else where a relay can reach it."""

from __future__ import annotations

import logging
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

from kernel_mgmt.exceptions import LaunchOptionError

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import ConnectionInfo, LaunchOptions, LaunchParams

__all__ = ("is_as_asked", "launch")

log = logging.getLogger(__name__)

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

    What jupyter_client asks for by habit is given up, too; an encryption that is required never is.

    :raises KernelManagementError: if the kernel cannot be launched
    """
    while True:
        try:
            return await finder.launch(kernel_type, cwd, launch_params, options=options)
        except LaunchOptionError as error:
            fewer = _without(error.option, options)
            if fewer == options:
                raise
            log.info("%s is launched without what cannot be had: %s", kernel_type, error)
        options = fewer


def is_as_asked(connection_info: ConnectionInfo, asked: ConnectionInfo | None) -> bool:
    """Whether programs that know ZeroMQ reach a kernel as they expect to.

    :param asked: what they expect; any address of ZeroMQ when ``None``
    """
    if connection_info.get("transport", "tcp") not in ("tcp", "ipc"):
        return False
    return asked is None or all(
        connection_info.get(name) == asked.get(name) for name in (*_ADDRESS, *_KEYS)
    )


def _without(option: str, options: LaunchOptions) -> LaunchOptions:
    """The options without one that cannot be had; the same ones if it is not to be given up."""
    if option in ("connection_info", "transport", "encryption"):
        return _elsewhere(options)
    if option == "kernel_id":
        return replace(options, kernel_id=None)
    if option == "restart":
        return replace(options, restart=False)
    if option == "env" and all(name.startswith("JPY_") for name in options.env):
        return replace(options, env={})
    return options


def _elsewhere(options: LaunchOptions) -> LaunchOptions:
    elsewhere = replace(options, connection_info=None, transport="auto")
    return elsewhere if options.encryption == "required" else replace(elsewhere, encryption="auto")
