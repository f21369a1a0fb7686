"""Start one kernel, in the classic way."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Unpack

import anyio

from ._async_manager import AsyncKernelManager
from ._blocking_manager import KernelManager

if TYPE_CHECKING:
    from kernel_mgmt.discovery import KernelFinder

    from ._async_client import AsyncKernelClient
    from ._blocking_client import BlockingKernelClient
    from ._launch import StartKeywords

__all__ = ("run_kernel", "start_new_async_kernel", "start_new_kernel")


def start_new_kernel(
    startup_timeout: float = 60,
    kernel_name: str = "python",
    *,
    kernel_finder: KernelFinder | None = None,
    **keywords: Unpack[StartKeywords],
) -> tuple[KernelManager, BlockingKernelClient]:
    """Start a kernel, and return its manager and a client that is ready.

    The caller stops the channels of the client, and shuts the kernel down.

    :param startup_timeout: how long the kernel may take to be ready, in seconds
    :param kernel_name: the kernel type, such as ``"python3"`` or ``"env/myproject"``
    :param kernel_finder: where it is looked up; by default, all installed providers
    :param keywords: as for ``start_kernel``
    :raises KernelManagementError: if it cannot be started, as ``start_kernel_blocking`` does
    """
    manager = KernelManager(
        kernel_name=kernel_name, kernel_finder=kernel_finder, startup_timeout=startup_timeout
    )
    manager.start_kernel(**keywords)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(startup_timeout)
    except BaseException:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        raise
    return manager, client


async def start_new_async_kernel(
    startup_timeout: float = 60,
    kernel_name: str = "python",
    *,
    kernel_finder: KernelFinder | None = None,
    **keywords: Unpack[StartKeywords],
) -> tuple[AsyncKernelManager, AsyncKernelClient]:
    """Start a kernel, and return its manager and a client that is ready.

    The caller stops the channels of the client, and shuts the kernel down. The arguments and the
    errors are those of :func:`start_new_kernel`.
    """
    manager = AsyncKernelManager(
        kernel_name=kernel_name, kernel_finder=kernel_finder, startup_timeout=startup_timeout
    )
    await manager.start_kernel(**keywords)
    client = manager.client()
    try:
        client.start_channels()
        await client.wait_for_ready(startup_timeout)
    except BaseException:
        client.stop_channels()
        with anyio.CancelScope(shield=True):
            await manager.shutdown_kernel(now=True)
        raise
    return manager, client


@contextmanager
def run_kernel(
    startup_timeout: float = 60,
    kernel_name: str = "python",
    *,
    kernel_finder: KernelFinder | None = None,
    **keywords: Unpack[StartKeywords],
) -> Generator[BlockingKernelClient]:
    """Start a kernel, hand out a client, and end the kernel at once when the block is left.

    The arguments and the errors are those of :func:`start_new_kernel`.
    """
    manager, client = start_new_kernel(
        startup_timeout, kernel_name, kernel_finder=kernel_finder, **keywords
    )
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
