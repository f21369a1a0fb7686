"""Oddity 5: ``null`` for the parent header of a message that has none."""

from __future__ import annotations

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject


async def check(_subject: Subject, kernel: RunningKernel) -> Finding:
    with_null = [message for message in kernel.published if bytes(message.parts[1]) == b"null"]
    if not with_null:
        return ok("every parent header is an object")
    return note(
        f"the parent header of {with_null[0].msg_type} is null", "kernel_mgmt reads it as empty"
    )
