"""The connection info of a new kernel, and the file that tells it to the kernel (JEP 106)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from secrets import token_hex
from typing import cast

from kernel_mgmt.exceptions import LaunchOptionError
from kernel_mgmt.types import ConnectionInfo

from ._files import open_new_file, remove_files

PORT_NAMES = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")


def new_connection_info(
    transport: str, ip: str, ports: Mapping[str, int], kernel_name: str, *, encrypt: bool = False
) -> ConnectionInfo:
    """Describe a kernel that has yet to be started, with a new key.

    :param ports: by their names in the connection info
    :param encrypt: whether it gets a pair of CURVE keys, too
    """
    content: dict[str, object] = {
        "transport": transport,
        "ip": ip,
        **ports,
        "key": token_hex(32),
        "signature_scheme": "hmac-sha256",
        "kernel_name": kernel_name,
    }
    if encrypt:
        # The launch of a kernel that does not encrypt needs no libzmq.
        import zmq

        public, secret = zmq.curve_keypair()
        content |= {"curve_publickey": public.decode(), "curve_secretkey": secret.decode()}
    return cast("ConnectionInfo", content)


def check_connection_info(connection_info: ConnectionInfo, transport: str, encryption: str) -> None:
    """Make sure that a kernel can be started with a connection info that was used before.

    :param encryption: what the options of the launch say of it
    :raises LaunchOptionError: if it lacks something, or fits neither the transport nor the options
    """
    needed = (*PORT_NAMES, "transport", "ip", "key")
    missing = [name for name in needed if not connection_info.get(name)]
    wrong = [name for name in PORT_NAMES if not _is_port(connection_info.get(name))]
    encrypted = "curve_secretkey" in connection_info
    reason = None
    if missing:
        reason = f"it has no {', '.join(missing)}"
    elif connection_info["transport"] != transport:
        reason = f"it is for {connection_info['transport']}, and the launch for {transport}"
    elif wrong:
        reason = f"{wrong[0]} is {connection_info.get(wrong[0])!r}, and no port"
    elif encryption == "required" and not encrypted:
        reason = "it has no keys for the encryption that is required"
    elif encryption == "disabled" and encrypted:
        reason = "it has keys for an encryption that is disabled"
    if reason is not None:
        raise LaunchOptionError("connection_info", reason)


def _is_port(value: object) -> bool:
    return type(value) is int and 0 < value < 65_536


def ports_of(connection_info: ConnectionInfo) -> list[int]:
    """Return the ports in the order of :data:`PORT_NAMES`; 0 for one that is missing."""
    return [
        connection_info.get("shell_port", 0),
        connection_info.get("iopub_port", 0),
        connection_info.get("stdin_port", 0),
        connection_info.get("control_port", 0),
        connection_info.get("hb_port", 0),
    ]


def write_connection_file(path: str, connection_info: ConnectionInfo) -> None:
    """Write a new connection file, which only its owner can read.

    :raises OSError: if it cannot be written; nothing is left of it
    """
    content = json.dumps(connection_info, indent=1).encode()
    descriptor = open_new_file(path, os.O_WRONLY)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
    except BaseException:
        remove_files([path])
        raise


def replace_connection_file(path: str, connection_info: ConnectionInfo) -> None:
    """Put a connection file in the place of the one that is there; a reader sees one or the other.

    :raises OSError: if it cannot be written
    """
    new_path = f"{path}.new"
    write_connection_file(new_path, connection_info)
    try:
        os.replace(new_path, path)
    except BaseException:
        remove_files([new_path])
        raise
