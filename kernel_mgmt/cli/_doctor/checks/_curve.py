"""Oddity 2: keys for CURVE that are ignored."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from secrets import token_hex
from typing import TYPE_CHECKING

import zmq

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject
from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.start import PortTakenError
from kernel_mgmt.types import LaunchOptions

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo

_ATTEMPTS = 3
_WHO_REACHES_IT = {
    "ipc": "; over ipc nobody else reaches it",
    "tcp": "; other users of the machine can read over tcp what it publishes",
}
_LIST_IT = '"metadata": {"supported_encryption": ["curve"]}'


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    if not zmq.has("curve"):
        return note("cannot be tried: this libzmq has no CURVE", "install pyzmq from its wheel")
    try:
        failure = await _failure_with_keys(subject)
    except LaunchOptionError as error:
        return note(f"cannot be tried: {error}")
    listed: object = subject.attributes.get("metadata", {}).get("supported_encryption") or ()
    match (failure is None, "curve" in str(listed).lower()):
        case (True, True):
            return ok("encrypts with CURVE, and its kernelspec says so")
        case (True, False):
            return note(
                "encrypts with CURVE, and its kernelspec does not say so",
                f"for kernel_mgmt to encrypt over tcp, add {_LIST_IT} to it",
            )
        case (False, True):
            return problem(
                f"its kernelspec lists CURVE, and with keys: {failure}",
                "take 'curve' out of metadata.supported_encryption",
            )
        case _:
            return note(
                "does not encrypt when it is given keys for CURVE",
                f"kernel_mgmt gives it none{_WHO_REACHES_IT.get(kernel.transport, '')}",
            )


async def _failure_with_keys(subject: Subject) -> str | None:
    """Start a kernel with keys; return why it cannot be talked to, ``None`` if it can."""
    for _ in range(_ATTEMPTS):
        options = LaunchOptions(transport="tcp", connection_info=_encrypted())
        try:
            async with subject.started(options, startup_timeout=subject.patience):
                return None
        except PortTakenError:
            continue
        except KernelLaunchError as error:
            return error.reason
    return "its ports were taken"


def _encrypted() -> ConnectionInfo:
    shell, iopub, stdin, control, heartbeat = _free_ports(5)
    public, secret = zmq.curve_keypair()
    return {
        "transport": "tcp",
        "ip": "127.0.0.1",
        "shell_port": shell,
        "iopub_port": iopub,
        "stdin_port": stdin,
        "control_port": control,
        "hb_port": heartbeat,
        "key": token_hex(32),
        "signature_scheme": "hmac-sha256",
        "curve_publickey": public.decode(),
        "curve_secretkey": secret.decode(),
    }


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)
        ]
        return [server.getsockname()[1] for server in servers]
