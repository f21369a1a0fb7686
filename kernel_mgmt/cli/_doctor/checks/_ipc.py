"""Oddity 16: kernels that cannot be reached over ipc."""

from __future__ import annotations

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject
from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.types import LaunchOptions

_SAY_SO = '"metadata": {"kernel_mgmt": {"transport": "ipc"}}'


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    if kernel.transport == "ipc":
        return ok("is reached over ipc")
    options = LaunchOptions(transport="ipc")
    try:
        async with subject.started(options, startup_timeout=subject.patience):
            pass
    except LaunchOptionError as error:
        return note(f"is not reached over ipc: {error.reason}", "kernel_mgmt uses tcp")
    except KernelLaunchError as error:
        return note(f"does not come up over ipc: {error.reason}", "kernel_mgmt uses tcp")
    return note(
        "speaks ipc, and is reached over tcp",
        f"for kernel_mgmt to use ipc, its kernelspec should have {_SAY_SO}",
    )
