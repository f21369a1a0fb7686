"""``kernel-mgmt start``: start a kernel that stays."""

from __future__ import annotations

import signal
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import click

from ._complete import KernelTypeName
from ._form import output_option
from ._launching import LaunchArguments, launch_arguments, started
from ._names import check_is_free, check_name
from ._status import CommandError, Status
from ._terminal import print_json, print_line, say

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)


@click.command("start")
@click.argument("kernel", type=KernelTypeName())
@click.option("-d", "--detach", is_flag=True, help="Leave the kernel running, and return.")
@click.option("--name", callback=check_name, help="What to call the kernel, rather than by its id.")
@output_option("id", "json", help_text="What is printed of the kernel.")
@launch_arguments
def command(
    kernel: str, detach: bool, name: str | None, output: str, arguments: LaunchArguments
) -> int:
    """Start a kernel, for others to connect to.

    It ends with this command, which Ctrl-C ends, unless it is detached.
    """
    import anyio

    from ._sigterm import ended_by_signal

    with ended_by_signal():
        return anyio.run(_start, kernel, detach, name, output, arguments)


async def _start(
    kernel: str, detach: bool, name: str | None, output: str, arguments: LaunchArguments
) -> int:
    from kernel_mgmt.types import LaunchOptions

    from ._sigterm import terminable

    if name is not None:
        check_is_free(name)
    options = LaunchOptions(name=name, persist=detach)
    async with (
        # A kernel that nobody has been told of would stay; others end with this process.
        terminable() if detach else nullcontext(),
        started(kernel, arguments, options=options) as (manager, client),
    ):
        if name is not None:
            await _give_way(name, manager, client)
        await _print_or_end(manager, client, output)
        return Status.OK if detach else await _stay(manager, client)


async def _give_way(name: str, manager: KernelManagerABC, client: KernelClient) -> None:
    try:
        check_is_free(name, but=manager.kernel_id)
    except CommandError:
        await client.shutdown_or_terminate()
        raise


async def _print_or_end(manager: KernelManagerABC, client: KernelClient, output: str) -> None:
    try:
        _print(manager, output)
    except BrokenPipeError:  # who reads has seen enough, and wants the kernel all the same
        raise
    except OSError:
        # The command fails, and what it leaves nobody would look for.
        await client.shutdown_or_terminate()
        raise


def _print(manager: KernelManagerABC, output: str) -> None:
    record = _record_of(manager)
    if output == "json":
        print_json(
            {
                "id": manager.kernel_id,
                "name": record and record.name,
                "kernel": record and record.kernel_type,
                "connection_file": record and (record.connection_file or None),
                "pid": record and (record.process.pid or None),
            }
        )
    else:
        print_line(manager.kernel_id)


def _record_of(manager: KernelManagerABC) -> KernelRecord | None:
    """Return the record of a kernel; one that is no process of this machine may have none."""
    from kernel_mgmt.records import KernelRecord

    described = manager.describe()
    return KernelRecord.from_dict(described) if described else None


async def _stay(manager: KernelManagerABC, client: KernelClient) -> int:
    """Wait for the end of the kernel, or for a signal, and end the kernel then."""
    import anyio

    record = _record_of(manager)
    received: list[signal.Signals] = []
    async with anyio.create_task_group() as tasks:

        async def end_at_signal() -> None:
            with anyio.open_signal_receiver(*_signals()) as signals:
                _tell(manager, record)
                async for signum in signals:
                    received.append(signum)
                    if len(received) == 1:
                        _talk(f"Ending the kernel; {signum.name} once more ends it at once.")
                        tasks.start_soon(end)
                    else:
                        ending.cancel()

        async def end() -> None:
            with ending:
                await client.shutdown_or_terminate()

        ending = anyio.CancelScope()
        tasks.start_soon(end_at_signal)
        await manager.wait()
        ending.shield = True
        tasks.cancel_scope.cancel()
    return _signal_status(received[0]) if received else _end_status(manager)


def _signals() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [signal.Signals[name] for name in names if name in signal.Signals.__members__]


def _tell(manager: KernelManagerABC, record: KernelRecord | None) -> None:
    lines = [f"The kernel {manager.kernel_id} runs. Connect to it by"]
    lines.append(f"  kernel-mgmt console {(record and record.name) or manager.kernel_id[:8]}")
    if record is not None and record.connection_file:
        lines.append(f"  jupyter console --existing {record.connection_file}")
    _talk("\n".join([*lines, "Ctrl-C ends it."]))


def _talk(message: str) -> None:
    # Whoever started the kernel may have gone, with the terminal.
    with suppress(OSError):
        say(message)


def _signal_status(signum: signal.Signals) -> int:
    return 128 + signum


def _end_status(manager: KernelManagerABC) -> int:
    exit_status = manager.exit_status
    tail = f"; its last output was:\n{exit_status.tail}" if exit_status and exit_status.tail else ""
    _talk(f"The kernel has ended ({exit_status}){tail}")
    return Status.OK if exit_status is not None and exit_status.code == 0 else Status.RAISED
