"""The kernel types of the kernelspecs on this machine: ``spec/<name>``."""

from __future__ import annotations

from ._provider import KernelSpecProvider

__all__ = ("KernelSpecProvider",)
