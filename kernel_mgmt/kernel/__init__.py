"""A kernel that is owned over many lives."""

from __future__ import annotations

from ._ending import ShutdownOutcome
from ._kernel import Kernel
from ._status import KernelState

__all__ = ("Kernel", "KernelState", "ShutdownOutcome")
