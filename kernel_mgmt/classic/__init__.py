"""The interface of jupyter_client, over kernel providers."""

from __future__ import annotations

from ._async_client import AsyncKernelClient
from ._blocking_client import BlockingKernelClient
from ._client import KernelClient
from ._session import Session

__all__ = ("AsyncKernelClient", "BlockingKernelClient", "KernelClient", "Session")
