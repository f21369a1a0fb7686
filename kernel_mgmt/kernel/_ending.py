"""End a kernel in stages, which may be cut short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.restarter._plan import end_at_once

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient, ShutdownStage
    from kernel_mgmt.types import ExitStatus

__all__ = ("Ending", "ShutdownOutcome")


@dataclass(frozen=True)
class ShutdownOutcome:
    """How a kernel was shut down.

    :ivar stage: what ended it: ``"shutdown"``, the request; ``"terminated"``, SIGTERM; ``"killed"``,
        SIGKILL; or ``"dead"`` if there was nothing to end
    :ivar exit_status: how its process ended; ``None`` if that is not known
    """

    stage: ShutdownStage
    exit_status: ExitStatus | None


class Ending:
    """Ends a kernel in stages: the request, SIGTERM, SIGKILL.

    :param now: whether it begins with the last stage
    """

    def __init__(self, now: bool) -> None:
        self._now = now
        self._patience = anyio.CancelScope()

    def hurry(self) -> None:
        """Go on to the last stage at once."""
        self._now = True
        self._patience.cancel()

    async def end(
        self, client: KernelClient, manager: KernelManagerABC, timeout: float, *, restart: bool
    ) -> ShutdownStage:
        """End the kernel, and clean up after it.

        :param timeout: how long to wait after the request, and again after SIGTERM, in seconds
        :param restart: whether the kernel is told that another one follows it
        :return: what ended it
        """
        if self._now:
            was_alive = await manager.is_alive()
            await end_at_once(manager)
            return "killed" if was_alive else "dead"
        with self._patience:
            return await client.shutdown_or_terminate(timeout, restart=restart)
        return "killed"
