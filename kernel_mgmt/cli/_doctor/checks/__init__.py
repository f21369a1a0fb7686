"""One check for each oddity that kernels are known to have, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from kernel_mgmt.cli._doctor._findings import Finding
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject

from . import (
    _curve,
    _empty_key,
    _errors,
    _features,
    _files,
    _interrupt,
    _ipc,
    _kernel_info,
    _orphans,
    _parents,
    _requests,
    _results,
    _shutdown,
    _signature,
    _stderr,
    _stdin,
    _welcome,
)

__all__ = ("CHECKS", "Check")

# The kernel that is handed in is shared by all checks; one that may do harm starts its own.
Examine: TypeAlias = Callable[[Subject, RunningKernel], Awaitable[Finding]]


class Check(NamedTuple):
    """A check of a running kernel.

    :ivar starts_own: whether it starts kernels of its own, and so can run beside others
    """

    name: str
    examine: Examine
    starts_own: bool = False


CHECKS = (
    Check("features", _features.check, starts_own=True),
    Check("curve", _curve.check, starts_own=True),
    Check("stderr", _stderr.check, starts_own=True),
    Check("orphans", _orphans.check),
    Check("parent-header", _parents.check),
    Check("iopub-welcome", _welcome.check),
    Check("kernel-info", _kernel_info.check),
    Check("requests", _requests.check),
    Check("errors", _errors.check),
    Check("results", _results.check),
    Check("stdin", _stdin.check, starts_own=True),
    Check("signature", _signature.check, starts_own=True),
    Check("empty-key", _empty_key.check, starts_own=True),
    Check("shutdown", _shutdown.check, starts_own=True),
    Check("files", _files.check, starts_own=True),
    Check("interrupt", _interrupt.check, starts_own=True),
    Check("ipc", _ipc.check, starts_own=True),
)
