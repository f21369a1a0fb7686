"""The names that people give to kernels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ._running import running
from ._status import CommandError, Status

if TYPE_CHECKING:
    from kernel_mgmt.records import KernelRecord

__all__ = ("check_is_free", "check_name")

_LONGEST = 100
_LIKE_AN_ID = re.compile(r"[0-9a-f]{8}[0-9a-f-]*", re.IGNORECASE)


def check_name(ctx: click.Context, param: click.Parameter, name: str | None) -> str | None:
    """Refuse a name, as a callback of click, that could be meant for something else."""
    if name is not None and (reason := _fault(name)) is not None:
        raise click.BadParameter(f"{name!r} {reason}", ctx, param)
    return name


def check_is_free(name: str, but: str | None = None) -> None:
    """Make sure that no other kernel that runs has a name.

    :param but: the id of a kernel that may have it; then only those are looked at that had it before
    :raises CommandError: if one has it
    """
    records = running()
    ids = [record.kernel_id for record in records]
    if but in ids:
        # Two that start at the same time see each other; the one that came second gives way.
        records = records[: ids.index(but)]
    for record in records:
        if name in (record.name, record.kernel_id) and record.kernel_id != but:
            raise CommandError(_taken(name, record), Status.USAGE)


def _fault(name: str) -> str | None:
    if not name or name != name.strip() or not name.isprintable():
        return "is empty, or has spaces around it or characters that cannot be seen"
    if len(name) > _LONGEST:
        return f"is longer than {_LONGEST} characters"
    if name.startswith("-"):
        return "looks like an option"
    if "/" in name or "\\" in name or name.endswith(".json"):
        return "looks like a path"
    if _LIKE_AN_ID.fullmatch(name):
        return "looks like the id of a kernel"
    return None


def _taken(name: str, record: KernelRecord) -> str:
    return (
        f"The name {name!r} is taken by the kernel {record.kernel_id} ({record.kernel_type}); "
        "stop it, or choose another name"
    )
