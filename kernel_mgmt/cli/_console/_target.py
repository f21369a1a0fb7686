"""What the argument of the console means: a running kernel, a kernel type or a connection file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, NamedTuple

from kernel_mgmt.cli._running import find_running
from kernel_mgmt.cli._status import CommandError, Status
from kernel_mgmt.exceptions import NoSuchKernelError, UnknownProviderError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.records import KernelRecord

__all__ = ("Target", "find_target")


class Target(NamedTuple):
    """What a console is to talk to.

    :ivar kind: whether a kernel is started, or one that runs is attached to
    :ivar name: the kernel type; or the id of the running kernel, or its connection file
    :ivar note: what the user should know of the choice
    :ivar alias: what people call the kernel
    """

    kind: Literal["start", "attach"]
    name: str
    note: str | None = None
    alias: str | None = None

    @property
    def title(self) -> str:
        """What to call it."""
        return self.alias or self.name


async def find_target(
    name: str | None,
    existing: str | None,
    finder: KernelFinder,
    records: Iterable[KernelRecord] | None = None,
) -> Target:
    """Tell what is meant.

    A path is a connection file. Otherwise the name or the id of a running kernel goes before a
    kernel type, which goes before the beginning of an id.

    :param name: the argument; ``None`` means the default kernel
    :param existing: a connection file, or a part of its name; the latest when empty
    :param records: those of the kernels that run, for tests
    :raises CommandError: if nothing is meant, or several kernels are
    """
    if existing is not None:
        return _of_file(existing or "kernel-*.json")
    if name is None:
        return Target("start", await finder.default_kernel_async())
    if _is_path(name):
        return _of_file(name)
    return await _of_name(name, finder, records)


def _is_path(name: str) -> bool:
    return name.endswith(".json") or name.startswith(("/", "./", "../", "~"))


def _of_file(pattern: str) -> Target:
    from kernel_mgmt.connection_files import find_connection_file
    from kernel_mgmt.records import find_records, is_stale

    try:
        path = find_connection_file(os.path.expanduser(pattern))
    except FileNotFoundError as error:
        raise CommandError(str(error), Status.NO_SUCH_KERNEL) from error
    # With its record, a kernel can also be interrupted by a signal, and its death is noticed.
    for record in find_records().records:
        if os.path.realpath(record.connection_file) == os.path.realpath(path):
            if is_stale(record):
                continue
            return Target("attach", record.kernel_id, alias=record.name)
    return Target("attach", path)


async def _of_name(
    name: str, finder: KernelFinder, records: Iterable[KernelRecord] | None
) -> Target:
    running: KernelRecord | None = None
    not_running: CommandError | None = None
    try:
        running = find_running(name, records)
    except CommandError as error:
        not_running = error
    kernel_type, no_type = await _type_of(name, finder)
    if running is not None:
        if name not in (running.name, running.kernel_id) and kernel_type is not None:
            note = f"{name!r} is a kernel type; the id of a running kernel begins so, too: "
            return Target("start", kernel_type, note + running.kernel_id)
        note = f"{name!r} is a kernel that runs; to start one, name its type {kernel_type!r}"
        return Target("attach", running.kernel_id, note if kernel_type else None, running.name)
    if kernel_type is not None:
        return Target("start", kernel_type)
    assert not_running is not None
    if not_running.status is not Status.NO_SUCH_KERNEL or no_type is None:
        raise not_running
    message = f"{no_type}; no kernel of this name or id runs either"
    raise CommandError(message, Status.NO_SUCH_KERNEL)


async def _type_of(name: str, finder: KernelFinder) -> tuple[str | None, Exception | None]:
    try:
        await finder.get_async(name)
    except (NoSuchKernelError, UnknownProviderError) as error:
        return None, error
    return (name if "/" in name else f"spec/{name}"), None
