"""Start one kernel, as the functions of jupyter_client do."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kernel_mgmt.exceptions import KernelLaunchError

from ._managers import AsyncKernelManager, KernelManager

if TYPE_CHECKING:
    from kernel_mgmt.types import ExitStatus

__all__ = ("run_kernel", "start_new_async_kernel", "start_new_kernel")


def start_new_kernel(
    startup_timeout: float = 60, kernel_name: str = "python", **keywords: Any
) -> tuple[KernelManager, Any]:
    """Start a kernel, and return its manager and a client that is ready.

    The caller stops the channels of the client, and shuts the kernel down.

    :param startup_timeout: how long the kernel may take to be ready, in seconds
    :param kernel_name: a kernelspec such as ``"python3"``, or a kernel type such as
        ``"pyimport/kernel"``
    :param keywords: as for ``start_kernel``
    :raises RuntimeError: if it does not become ready; if it has ended, this is a
        :class:`KernelLaunchError` that tells how, and what it wrote last
    """
    manager = KernelManager(kernel_name=kernel_name)
    manager.start_kernel(**keywords)
    client: Any = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=startup_timeout)
    except BaseException as error:
        client.stop_channels()
        status = manager.exit_status
        manager.shutdown_kernel(now=True)
        _tell_of_the_end(kernel_name, status, error)
        raise
    return manager, client


async def start_new_async_kernel(
    startup_timeout: float = 60, kernel_name: str = "python", **keywords: Any
) -> tuple[AsyncKernelManager, Any]:
    """Start a kernel, and return its manager and a client that is ready.

    The arguments and the errors are those of :func:`start_new_kernel`.
    """
    manager = AsyncKernelManager(kernel_name=kernel_name)
    await manager.start_kernel(**keywords)
    client: Any = manager.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=startup_timeout)
    except BaseException as error:
        client.stop_channels()
        status = manager.exit_status
        await manager.shutdown_kernel(now=True)
        _tell_of_the_end(kernel_name, status, error)
        raise
    return manager, client


@contextmanager
def run_kernel(**keywords: Any) -> Generator[Any]:
    """Start a kernel, hand out a client that is ready, and end the kernel when the block is left.

    The arguments and the errors are those of :func:`start_new_kernel`.
    """
    manager, client = start_new_kernel(**keywords)
    try:
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _tell_of_the_end(
    kernel_name: str, exit_status: ExitStatus | None, error: BaseException
) -> None:
    """Say how the kernel has ended, where jupyter_client says only that it has."""
    if isinstance(error, RuntimeError) and exit_status is not None:
        reason = f"The kernel {kernel_name!r} has ended before it was ready ({exit_status})"
        raise KernelLaunchError(reason, exit_status=exit_status) from error
