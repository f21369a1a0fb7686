"""Oddity 14: files that are still there when the kernel has ended."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory

import anyio

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject


async def check(subject: Subject, _kernel: RunningKernel) -> Finding:
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        async with subject.started(cwd=directory) as own:
            record = own.manager.describe()
            own.client.shutdown()
            with anyio.move_on_after(subject.patience):
                await own.manager.wait()
            leaves_own = _exists(record.get("connection_file", ""))
        left = [str(path) for path in record.get("files", ()) if _exists(path)]
        dropped = sorted(os.listdir(directory))
    if left:
        return problem(f"left after the cleanup: {', '.join(left)}", "kernel-mgmt prune")
    if dropped:
        return note(f"leaves in its working directory: {', '.join(dropped)}", "remove them")
    how = "its connection file stays, and kernel_mgmt removes it" if leaves_own else "nothing stays"
    return ok(how)


def _exists(path: str) -> bool:
    return os.path.lexists(path)
