"""What a gateway tells of the kernels that run on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

__all__ = ("RemoteKernel", "parse_time")


@dataclass(frozen=True)
class RemoteKernel:
    """A kernel that runs on a gateway, as that tells of it.

    :ivar id: the id that the gateway knows it by
    :ivar name: the name of its kernelspec there
    :ivar execution_state: such as ``"starting"``, ``"idle"``, ``"busy"`` or ``"dead"``; ``None`` if
        the gateway does not tell
    :ivar last_activity: when it has last done something, if the gateway tells
    :ivar connections: how many websockets are connected to it, if the gateway tells
    :ivar reason: why it is dead, if the gateway tells
    """

    id: str
    name: str
    execution_state: str | None = None
    last_activity: datetime | None = None
    connections: int | None = None
    reason: str | None = None

    @classmethod
    def from_model(cls, model: object) -> RemoteKernel:
        """Make it of a kernel model of Jupyter's REST interface; what is odd there is left out.

        :raises ValueError: if it is no kernel model
        """
        if not isinstance(model, Mapping):
            raise ValueError("a kernel model should be a JSON object")
        values = cast("Mapping[str, Any]", model)
        kernel_id, name = values.get("id"), values.get("name")
        if not isinstance(kernel_id, str):
            raise ValueError("a kernel model should have an id")
        state, reason = values.get("execution_state"), values.get("reason")
        connections = values.get("connections")
        return cls(
            kernel_id,
            name if isinstance(name, str) else "",
            state if isinstance(state, str) else None,
            parse_time(values.get("last_activity")),
            connections if isinstance(connections, int) else None,
            reason if isinstance(reason, str) else None,
        )


def parse_time(told: object) -> datetime | None:
    """Read a time in any of the forms that servers have; ``None`` if it is none.

    They leave out the microseconds if there are none, some the zone, and some give seconds after
    the epoch.
    """
    try:
        if isinstance(told, int | float) and not isinstance(told, bool):
            return datetime.fromtimestamp(told, UTC)
        if not isinstance(told, str):
            return None
        found = datetime.fromisoformat(told.strip())
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
