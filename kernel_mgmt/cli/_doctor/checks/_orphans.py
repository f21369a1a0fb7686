"""Oddity 4: outputs that no request has caused."""

from __future__ import annotations

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject

_OUTPUTS = ("stream", "display_data", "execute_result", "error")


async def check(_subject: Subject, kernel: RunningKernel) -> Finding:
    orphans = [
        message
        for message in kernel.published
        if message.msg_type in _OUTPUTS and not message.parent_id
    ]
    if not orphans:
        return ok("every output belongs to a request")
    return note(
        f"outputs that belong to no request: {len(orphans)}",
        "kernel_mgmt hands them to handlers only, and to no request",
    )
