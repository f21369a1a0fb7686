"""``kernel-mgmt logs``: what a kernel has written to its stdout and stderr."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

import click

from kernel_mgmt.records import is_stale

from ._complete import RunningKernelName
from ._log import LogReader
from ._running import check_is_here, find_known, label
from ._status import CommandError, Status
from ._terminal import say

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("command",)

# How often a log is looked at (seconds).
_LOOK_AGAIN = 0.1


@click.command("logs")
@click.argument("kernel", type=RunningKernelName())
@click.option("-f", "--follow", is_flag=True, help="Go on, until the kernel has ended.")
@click.option(
    "-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Begin with the last N lines."
)
def command(kernel: str, follow: bool, tail: int | None) -> int:
    """Print what a kernel has written to its stdout and stderr.

    What code prints goes to those who are connected, and is not in it.
    """
    record = find_known(kernel)
    check_is_here(record)
    with closing(_open(record)) as reader:
        if tail is not None:
            reader.go_to_last(tail)
        has_ended = is_stale(record)
        _print(reader)
        while follow and not has_ended:
            time.sleep(_LOOK_AGAIN)
            # Before its log is read: what it wrote last is not missed.
            has_ended = is_stale(record)
            _print(reader)
    if follow:
        say(f"The kernel {label(record)} has ended")
    return Status.OK


def _open(record: KernelRecord) -> LogReader:
    if record.remote is not None:
        where = record.remote.get("url", "its server")
        message = f"What the kernel {label(record)} has written is kept by {where}, if at all"
        raise CommandError(message, Status.RAISED)
    if record.log_file is None:
        raise CommandError(f"The kernel {label(record)} has no log", Status.RAISED)
    try:
        return LogReader(record.log_file)
    except OSError as error:
        message = f"The log of the kernel {label(record)} cannot be read: {error}"
        raise CommandError(message, Status.RAISED) from error


def _print(reader: LogReader) -> None:
    stdout = sys.stdout.buffer
    for content in reader.read():
        stdout.write(content)
    while reader.is_in_doubt:
        time.sleep(_LOOK_AGAIN)
        for content in reader.read():
            stdout.write(content)
    stdout.flush()
