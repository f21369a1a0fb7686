"""Kernels of a gateway as Jupyter's REST interface tells of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernel_mgmt_gateway import RemoteKernel

__all__ = ("model_of", "new_model", "time_of")

_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def model_of(kernel: RemoteKernel) -> dict[str, Any]:
    """Return the model of a kernel; what its gateway does not tell is filled in."""
    model = new_model(kernel.id, kernel.name)
    if kernel.last_activity is not None:
        model["last_activity"] = kernel.last_activity.astimezone(UTC).strftime(_FORMAT)
    if kernel.execution_state is not None:
        model["execution_state"] = kernel.execution_state
    if kernel.connections is not None:
        model["connections"] = kernel.connections
    if kernel.reason is not None:
        model["reason"] = kernel.reason
    return model


def new_model(kernel_id: str, name: str) -> dict[str, Any]:
    """Return the model of a kernel that has just been launched."""
    now = datetime.now(UTC).strftime(_FORMAT)
    return {
        "id": kernel_id,
        "name": name,
        "last_activity": now,
        "execution_state": "starting",
        "connections": 0,
    }


def time_of(told: object) -> datetime:
    """Read the time of a model, in any of the ISO forms that servers have; now, if it has none."""
    try:
        found = datetime.fromisoformat(str(told))
    except ValueError:
        return datetime.now(UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
