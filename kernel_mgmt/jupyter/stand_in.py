"""Stands in for a kernel: the process that a front-end starts and signals, in place of the kernel.

``python -m kernel_mgmt.jupyter.stand_in env/project -f {connection_file}`` is what an exported kernelspec
runs. The front-end has chosen where the kernel is to listen; its provider launches it there, or else a
relay listens in its place. The two end together. If there is no kernel, the stand-in tells why.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.client import KernelClient
from kernel_mgmt.connection_files import read_connection_file
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import KernelLaunchError, KernelManagementError
from kernel_mgmt.types import ExitStatus, LaunchOptions

from ._launch import is_as_asked, launch
from .relay import Relay

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("main",)

# A kernel that says nothing for so long may still come (seconds).
_STARTUP_MOST = 60.0
_CLEANUP_MOST = 10.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Launch a kernel where a front-end expects it, and be its process.

    :return: the exit status, which is that of the kernel
    """
    options, extra_arguments = _parser().parse_known_args(arguments)
    connection_info = read_connection_file(options.connection_file)
    wanted = LaunchOptions(connection_info=connection_info, extra_arguments=extra_arguments)
    try:
        status = anyio.run(_stand_in, options.kernel_type, wanted)
    except KernelManagementError as error:
        print(f"{options.kernel_type}: {error}", file=sys.stderr)
        _tell(connection_info, error)
        return 1
    return _as_exit_code(status)


async def _stand_in(kernel_type: str, options: LaunchOptions) -> ExitStatus | None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        finder = KernelFinder.from_entrypoints()
        connection_info, manager = await launch(finder, kernel_type, options=options)
        if manager is None:
            raise KernelLaunchError(f"The provider of {kernel_type!r} returned no manager")
        failure: KernelManagementError | None = None
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_forward, signals, manager)
                failure = await _failure_to_start(connection_info, manager)
                if failure is None:
                    await _serve_until_death(options.connection_info, connection_info, manager)
                tasks.cancel_scope.cancel()
            if failure is not None:
                raise failure
            return manager.exit_status
        finally:
            with anyio.move_on_after(_CLEANUP_MOST, shield=True):
                await manager.kill()
                await manager.cleanup()


async def _failure_to_start(
    connection_info: ConnectionInfo, manager: KernelManagerABC
) -> KernelManagementError | None:
    """Wait until the kernel answers, and return why it never will."""
    async with KernelClient(connection_info, manager, allow_unsigned=True) as client:
        try:
            await client.wait_for_ready(_STARTUP_MOST)
        except TimeoutError:
            return None
        except KernelManagementError as error:
            return error
    return None


async def _serve_until_death(
    asked: ConnectionInfo | None, connection_info: ConnectionInfo, manager: KernelManagerABC
) -> None:
    if is_as_asked(connection_info, asked):
        while await manager.wait():
            pass
        return
    async with Relay(asked) as relay:
        await relay.serve(connection_info, manager, allow_unsigned=True)


async def _forward(signals: AsyncIterator[signal.Signals], manager: KernelManagerABC) -> None:
    async for signum in signals:
        if signum == signal.SIGINT:
            await _interrupt(manager)
        else:
            await manager.terminate()


async def _interrupt(manager: KernelManagerABC) -> None:
    try:
        await manager.interrupt()
    except KernelManagementError as error:
        # What the kernel does goes on.
        print(error, file=sys.stderr, flush=True)


def _tell(connection_info: ConnectionInfo, error: Exception) -> None:
    from ._error_kernel import ErrorKernel

    # A front-end interrupts what it executes; there is nothing to interrupt.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ErrorKernel(connection_info, error).serve()


def _as_exit_code(status: ExitStatus | None) -> int:
    if status is None:
        return 0
    if status.tail and status.code != 0:
        print(status.tail, file=sys.stderr)
    if status.signal is not None:
        return 128 + status.signal
    return status.code or 0


def _parser() -> argparse.ArgumentParser:
    # Others follow that are meant for the kernel, and might look like ours.
    parser = argparse.ArgumentParser(
        prog="python -m kernel_mgmt.jupyter.stand_in", add_help=False, allow_abbrev=False
    )
    parser.add_argument("kernel_type", help="such as env/project")
    parser.add_argument("-f", "--connection-file", required=True, help="where it is to listen")
    return parser


if __name__ == "__main__":
    sys.exit(main())
