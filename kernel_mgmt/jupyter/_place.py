"""Where jupyter_client's settings have a kernel listen."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import zmq
from jupyter_client.connect import port_names

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("as_text", "free_ports", "place_of")


def place_of(manager: Any, cwd: str | None = None, *, again: bool = False) -> ConnectionInfo | None:
    """Return where a kernel is to listen, and with which keys.

    Ports that are not set are chosen, if the address, another port or keys for CURVE are.

    :param manager: the manager, as jupyter_client has it
    :param cwd: the working directory of the kernel
    :param again: whether a kernel was there before; then there are no keys if it had none
    :return: ``None`` if nothing is set, and the launcher is free to choose
    """
    ports: dict[str, int] = {name: getattr(manager, name) for name in port_names}
    if not all(ports.values()):
        if not any(ports.values()) and not _has_address(manager) and not _has_keys(manager):
            return None
        if manager.transport == "ipc" and cwd is not None:
            # A relative path would be another one for the kernel.
            manager.ip = os.path.abspath(manager.ip)
        _choose_missing(ports, manager.transport, manager.ip)
    if not again:
        _make_keys(manager)
    info = manager.get_connection_info()
    return as_text({**info, **ports})


def as_text(info: Mapping[str, Any]) -> ConnectionInfo:
    """Return a connection info of jupyter_client, which has keys as bytes, in our terms."""
    told = {name: _decoded(value) for name, value in info.items() if value is not None}
    return cast("ConnectionInfo", told)


def _decoded(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _has_address(manager: Any) -> bool:
    """Whether the address is another than the usual one."""
    return bool(manager.ip != manager._ip_default())


def _has_keys(manager: Any) -> bool:
    # Not in jupyter_client before 8.9.
    return getattr(manager, "curve_publickey", None) is not None


def _choose_missing(ports: dict[str, int], transport: str, ip: str) -> None:
    missing = [name for name, port in ports.items() if not port]
    free = _free_numbers(ip) if transport == "ipc" else iter(free_ports(ip, len(missing)))
    taken = set(ports.values())
    for name in missing:
        ports[name] = next(port for port in free if port not in taken)


def free_ports(ip: str, number: int) -> list[int]:
    """Return TCP ports that nobody has at present."""
    with ExitStack() as open_sockets:
        holders = [open_sockets.enter_context(socket.socket()) for _ in range(number)]
        for holder in holders:
            holder.bind((ip, 0))
        return [holder.getsockname()[1] for holder in holders]


def _free_numbers(ip: str) -> Iterator[int]:
    return (number for number in count(1) if not os.path.exists(f"{ip}-{number}"))


def _make_keys(manager: Any) -> None:
    """Make the keys for CURVE, if it is wanted and there are none."""
    wanted = getattr(manager, "transport_encryption", "disabled")
    if wanted == "disabled" or manager.curve_publickey is not None:
        return
    if wanted == "required" or manager._kernel_supports_curve_encryption():
        manager.curve_publickey, manager.curve_secretkey = zmq.curve_keypair()
