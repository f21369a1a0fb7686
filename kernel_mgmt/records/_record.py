"""The record of one kernel."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kernel_mgmt.types import ResourceLimits

from ._identity import Machine, ProcessIdentity

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict

_VERSION = 1


@dataclass(frozen=True)
class LaunchDetails:
    """What a kernel was launched with, so that another can take its place.

    Environment variables and launch parameters may be secrets.
    """

    launch_params: dict[str, Any] = field(default_factory=dict[str, Any])
    env: dict[str, str] = field(default_factory=dict[str, str])
    extra_arguments: tuple[str, ...] = ()
    transport: Literal["auto", "tcp", "ipc"] = "auto"
    encryption: Literal["auto", "required", "disabled"] = "auto"
    limits: ResourceLimits | None = None


@dataclass(frozen=True)
class KernelRecord:
    """Describes a running kernel, without its key, which is in the connection file alone.

    :ivar name: what people call this kernel, if it was given a name
    :ivar process: the process of the kernel; its pid is 0 where it is none of a machine that is known
    :ivar kernel_type: the name of its type, such as ``"spec/python3"``, if the launcher knew it
    :ivar launcher: the full name of the class that launched it
    :ivar connection_file: empty if there is none
    :ivar files: the files, and directories of sockets, that are to be removed when it has ended
    :ivar persist: whether it goes on when its owner is gone
    :ivar launch: what it was launched with; ``None`` if that is not known, or no JSON
    :ivar owner: the process that launched it
    :ivar created_at: when it was launched, in seconds after the epoch
    :ivar remote: by what its provider knows a kernel that is reached through a server; ``None`` for
        one that is a process of the machine
    """

    kernel_id: str
    process: ProcessIdentity
    connection_file: str
    kernel_type: str | None = None
    name: str | None = None
    launcher: str | None = None
    argv: tuple[str, ...] = ()
    cwd: str | None = None
    interrupt_mode: str = "signal"
    log_file: str | None = None
    files: tuple[str, ...] = ()
    persist: bool = False
    # It may have secrets, which belong into no log.
    launch: LaunchDetails | None = field(default=None, repr=False, compare=False)
    owner: ProcessIdentity = field(default_factory=lambda: ProcessIdentity.of(os.getpid()))
    machine: Machine = field(default_factory=Machine.this)
    created_at: float = field(default_factory=time.time)
    remote: dict[str, str] | None = None

    def to_dict(self) -> JSONDict:
        """Return a plain dict, which JSON can hold; ``launch`` in it may have secrets."""
        return {"version": _VERSION, **asdict(self)}

    @classmethod
    def from_dict(cls, values: JSONDict) -> KernelRecord:
        """Make a record of what :meth:`to_dict` returned, before or after it was JSON.

        :raises ValueError: if it is something else
        """
        # Whoever only launches kernels does not need it.
        import msgspec

        if values.get("version") != _VERSION:
            raise ValueError(f"its version is {values.get('version')!r}, not {_VERSION}")
        return msgspec.convert(values, cls)


def is_foreign(record: KernelRecord) -> bool:
    """Whether the kernel is one of another machine or container, so that nothing can be told."""
    if record.remote is not None:  # its server is asked, from wherever
        return False
    here, there = Machine.this(), record.machine
    if here.is_same_boot(there):
        return here.pid_namespace != there.pid_namespace
    return here.host != there.host


def is_stale(record: KernelRecord) -> bool:
    """Whether the kernel no longer runs, though another process may have its pid.

    A foreign record is never stale, nor is that of a kernel of which its server must be asked.
    """
    if record.remote is not None:
        return False
    return not is_foreign(record) and not (_is_of_this_boot(record) and record.process.runs())


def is_left(record: KernelRecord) -> bool:
    """Whether the kernel no longer runs, and the program that launched it is gone, too."""
    return is_stale(record) and not (_is_of_this_boot(record) and record.owner.runs())


def _is_of_this_boot(record: KernelRecord) -> bool:
    return Machine.this().is_same_boot(record.machine)
