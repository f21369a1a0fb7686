"""Oddity 11: a message with a wrong signature that takes the kernel down."""

from __future__ import annotations

import anyio

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject, reply_within
from kernel_mgmt.exceptions import KernelDiedError
from kernel_mgmt.messages import MessageFactory
from kernel_mgmt.transports.zmq import connect_socket
from kernel_mgmt.wire import Signer

# How long a kernel may take to notice, and to end (seconds).
_SECONDS_TO_TAKE_IT = 1.0


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    if kernel.transport not in ("tcp", "ipc"):
        return note(f"cannot be tried: over {kernel.transport}, messages are not signed")
    async with subject.started() as own:
        try:
            answers = await _answers_after_bad_signature(own, subject.patience)
        except KernelDiedError as error:
            status = error.exit_status
            return _grave(own, f"ends ({status}) when a message has a wrong signature")
    if answers:
        return ok("goes on after a message with a wrong signature")
    return _grave(own, "answers nothing on shell after a message with a wrong signature")


async def _answers_after_bad_signature(kernel: RunningKernel, patience: float) -> bool:
    socket = connect_socket(kernel.client.connection_info, "shell")
    try:
        _, parts = MessageFactory().make("kernel_info_request", {})
        socket.send_multipart(Signer(b"no key of this kernel").frames(parts))
        with anyio.move_on_after(_SECONDS_TO_TAKE_IT):
            await kernel.manager.wait()
        return await reply_within(kernel.client.kernel_info(), patience) is not None
    finally:
        socket.close()


def _grave(kernel: RunningKernel, seen: str) -> Finding:
    if kernel.transport == "ipc":
        return note(seen, "kernel_mgmt reaches it over ipc, where no other user can send one")
    return problem(
        seen,
        "over tcp any user of the machine can send one; where the kernel speaks ipc, say so: "
        '"metadata": {"kernel_mgmt": {"transport": "ipc"}}',
    )
