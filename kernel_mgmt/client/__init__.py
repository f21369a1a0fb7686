"""Clients of running kernels."""

from __future__ import annotations

from ._blocking import BlockingKernelClient
from ._client import KernelClient, ShutdownStage
from ._request import Request

__all__ = ("BlockingKernelClient", "KernelClient", "Request", "ShutdownStage")
