"""The interface of jupyter_client, over kernel providers."""

from __future__ import annotations

from ._async_client import AsyncKernelClient
from ._async_manager import AsyncKernelManager
from ._blocking_client import BlockingKernelClient
from ._blocking_manager import KernelManager
from ._client import KernelClient
from ._kernel_spec import KernelSpec
from ._session import Session
from ._start import run_kernel, start_new_async_kernel, start_new_kernel

__all__ = (
    "AsyncKernelClient",
    "AsyncKernelManager",
    "BlockingKernelClient",
    "KernelClient",
    "KernelManager",
    "KernelSpec",
    "Session",
    "run_kernel",
    "start_new_async_kernel",
    "start_new_kernel",
)
