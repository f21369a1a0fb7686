"""The interface of jupyter_client, over kernel providers."""

from __future__ import annotations

from kernel_mgmt.connection_files import find_connection_file
from kernel_mgmt.exceptions import DuplicateKernelError

from ._async_client import AsyncKernelClient
from ._async_manager import AsyncKernelManager
from ._async_multi import AsyncMultiKernelManager
from ._blocking_client import BlockingKernelClient
from ._blocking_manager import KernelManager
from ._blocking_multi import MultiKernelManager
from ._client import KernelClient
from ._collection import kernel_method
from ._kernel_spec import KernelSpec
from ._session import Session
from ._start import run_kernel, start_new_async_kernel, start_new_kernel

__all__ = (
    "AsyncKernelClient",
    "AsyncKernelManager",
    "AsyncMultiKernelManager",
    "BlockingKernelClient",
    "DuplicateKernelError",
    "KernelClient",
    "KernelManager",
    "KernelSpec",
    "MultiKernelManager",
    "Session",
    "find_connection_file",
    "kernel_method",
    "run_kernel",
    "start_new_async_kernel",
    "start_new_kernel",
)
