"""Oddity 13: a shutdown that is acknowledged and not obeyed, or that leaves children."""

from __future__ import annotations

import anyio
import psutil

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject

# How long kernel_mgmt itself waits before it goes on (seconds).
_PATIENCE = 5.0


async def check(subject: Subject, _kernel: RunningKernel) -> Finding:
    async with subject.started() as own:
        children = _number_of_children(own)
        limit = min(_PATIENCE, subject.patience)
        begun = anyio.current_time()
        # At once after the start: that is when some kernels do not obey.
        own.client.shutdown()
        if await _ends(own, limit):
            return _ended(anyio.current_time() - begun, children)
        await own.manager.terminate()
        how = "SIGTERM ends it" if await _ends(own, limit) else "SIGTERM does not end it"
    return note(
        f"is still there {limit:g} s after a shutdown_request; {how}",
        "kernel_mgmt goes on to SIGTERM and SIGKILL, for its whole group",
    )


async def _ends(kernel: RunningKernel, seconds: float) -> bool:
    with anyio.move_on_after(seconds):
        await kernel.manager.wait()
        return True
    return False


def _ended(seconds: float, children: int) -> Finding:
    seen = f"ends {seconds:.1f} s after a shutdown_request"
    if not children:
        return ok(seen)
    return ok(f"{seen}; kernel_mgmt sees to its child processes ({children})")


def _number_of_children(kernel: RunningKernel) -> int:
    process = kernel.manager.describe().get("process", {})
    try:
        return len(psutil.Process(process.get("pid")).children(recursive=True))
    except (psutil.Error, TypeError):
        return 0
