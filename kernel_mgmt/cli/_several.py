"""Do something with several running kernels at once; one that fails holds up no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import click

from kernel_mgmt.exceptions import KernelManagementError
from kernel_mgmt.records import is_foreign

from ._running import check_is_here, find_known, label, running
from ._status import CommandError, Status, status_of
from ._terminal import print_line, progress, say

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("with_each",)

_Action: TypeAlias = Callable[["KernelRecord"], Awaitable[str]]


def with_each(names: Sequence[str], action: _Action, what: str, *, everyone: bool = False) -> int:
    """Do something with the kernels that are named, all at once.

    What becomes of each is printed when it is known.

    :param action: returns what has become of a kernel
    :param what: what goes on, for those who watch
    :param everyone: whether it concerns every kernel of this machine that runs, whatever is named
    :return: the exit status: that of the first failure
    """
    import anyio

    if not names and not everyone:
        raise click.UsageError("Name a kernel, or several")
    failures: list[Status] = []
    chosen = _every_one() if everyone else _chosen(names, failures)

    async def act(name: str, record: KernelRecord) -> None:
        try:
            outcome = await action(record)
            # Who reads may have seen enough; the kernels are seen to all the same.
            with suppress(BrokenPipeError):
                print_line(f"{name}: {outcome}")
        except (CommandError, KernelManagementError, OSError, ValueError) as error:
            _fail(error, failures)

    async def act_on_all() -> None:
        async with anyio.create_task_group() as tasks:
            for name, record in chosen.values():
                tasks.start_soon(act, name, record)

    with progress(what):
        anyio.run(act_on_all)
    return failures[0] if failures else Status.OK


def _every_one() -> dict[str, tuple[str, KernelRecord]]:
    here = [record for record in running() if not is_foreign(record)]
    return {record.kernel_id: (label(record), record) for record in here}


def _chosen(names: Sequence[str], failures: list[Status]) -> dict[str, tuple[str, KernelRecord]]:
    chosen: dict[str, tuple[str, KernelRecord]] = {}
    for name in names:
        try:
            record = find_known(name)
            check_is_here(record)
            chosen.setdefault(record.kernel_id, (name, record))
        except CommandError as error:
            _fail(error, failures)
    return chosen


def _fail(error: Exception, failures: list[Status]) -> None:
    say(f"Error: {error}")
    failures.append(status_of(error))
