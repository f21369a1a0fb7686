"""The kernel of the running interpreter: ``pyimport/kernel``, if ipykernel can be imported."""

from __future__ import annotations

from ._provider import IPykernelProvider

__all__ = ("IPykernelProvider",)
