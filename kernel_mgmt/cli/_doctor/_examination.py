"""Start a kernel for real, and run every check on kernels of its type."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import anyio

from kernel_mgmt.exceptions import KernelDiedError, KernelManagementError

from ._findings import Finding, ok, problem
from ._subject import RunningKernel, Subject, reply_within
from .checks import CHECKS, Check

__all__ = ("examine",)

# How many kernels are started at once, at least and at most.
_AT_ONCE, _AT_ONCE_MOST = 2, 4
# A kernel that is slow to start is waited for longer, by so many starts.
_STARTS = 3


async def examine(
    subject: Subject, checks: Sequence[Check] = CHECKS, *, waits: float = 6
) -> dict[str, Finding]:
    """Run the checks, several at once where each has a kernel of its own.

    Nothing is left behind; a check that fails or hangs hides no other.

    :param waits: how long a check may take: so many times as an answer is waited for
    :return: what each has found, in the order of the checks, after what the start was like
    :raises KernelLaunchError: if the kernel does not start
    """
    found: dict[str, Finding] = {}
    limiter = anyio.CapacityLimiter(min(max(os.cpu_count() or 1, _AT_ONCE), _AT_ONCE_MOST))
    async with subject.started() as kernel:
        patient = replace(subject, patience=subject.patience + _STARTS * kernel.seconds)
        found["start"] = ok(f"ready after {kernel.seconds:.1f} s, over {kernel.transport}")

        # A kernel may be heard to answer before it welcomes who listens.
        await reply_within(kernel.client.kernel_info(), patient.patience)

        async def run_one(check: Check) -> None:
            async with limiter:
                found[check.name] = await _find(check, patient, kernel, waits * patient.patience)

        async def run_on_shared_kernel() -> None:
            # What only looks at what was published comes last, for there to be more of it.
            for check in reversed(checks):
                if not check.starts_own:
                    await run_one(check)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run_on_shared_kernel)
            for check in checks:
                if check.starts_own:
                    tasks.start_soon(run_one, check)
    return {name: found[name] for name in ("start", *(check.name for check in checks))}


async def _find(check: Check, subject: Subject, kernel: RunningKernel, limit: float) -> Finding:
    with anyio.move_on_after(limit):
        try:
            return await check.examine(subject, kernel)
        except KernelDiedError as error:
            return problem(f"the kernel ended during the check ({error.exit_status})")
        except TimeoutError:
            return problem("an answer has not come in time")
        except (KernelManagementError, OSError, ValueError) as error:
            return problem(f"the check failed: {error}")
    return problem(f"the check was given up after {limit:.0f} s")
