"""Oddity 6: no ``iopub_welcome`` (JEP 65), by which a client knows that it hears everything."""

from __future__ import annotations

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject


async def check(_subject: Subject, kernel: RunningKernel) -> Finding:
    if any(message.msg_type == "iopub_welcome" for message in kernel.published):
        return ok("sends iopub_welcome")
    return note(
        "sends no iopub_welcome",
        "kernel_mgmt asks for kernel_info again until something is published",
    )
