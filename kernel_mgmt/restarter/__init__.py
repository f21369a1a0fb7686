"""Restarters: they watch a kernel, and start it again when it has ended."""

from __future__ import annotations

from ._base import KernelRestarterBase
from ._events import (
    DiedEvent,
    FailedEvent,
    RestartCallback,
    RestartedEvent,
    RestartEvent,
    RestartEventName,
)
from ._policy import RestartPolicy
from ._restarter import KernelRestarter

__all__ = (
    "DiedEvent",
    "FailedEvent",
    "KernelRestarter",
    "KernelRestarterBase",
    "RestartCallback",
    "RestartEvent",
    "RestartEventName",
    "RestartPolicy",
    "RestartedEvent",
)
