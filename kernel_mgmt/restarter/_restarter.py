"""The restarter that waits for the end of its kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import anyio

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.exceptions import KernelStateError

from ._base import KernelRestarterBase
from ._watch import wait_for_the_end

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC

    from ._plan import Started

__all__ = ("KernelRestarter",)

# How long the tasks of a restarter may take to end (seconds).
_END_MOST = 15.0


class KernelRestarter(KernelRestarterBase):
    """Starts a kernel again as soon as it has ended.

    ::

        async with KernelRestarter(manager, "spec/python3") as restarter:
            async for event in restarter.events():
                if event["event"] == "restarted":
                    client.reconnect(event["connection_info"], event["manager"])

    It waits for the end, and looks every ``time_to_dead`` seconds only where the manager cannot be
    waited for. The block watches from its beginning to its end; :meth:`start` and :meth:`stop` do
    the same where there is no block. Whoever stops it ends the kernel.
    """

    _watching: BackgroundTask[None] | None = None
    _stopped: tuple[BackgroundTask[None], ...] = ()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.stop()
        with anyio.move_on_after(_END_MOST, shield=True):
            for watching in self._stopped:
                await watching.ended()
            for restarting in self._broken_off:
                await restarting.ended()
        await self._recovery.events.finish()

    def start(self) -> None:
        super().start()
        self._watch_on()

    def stop(self) -> None:
        super().stop()
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel(KernelStateError(self._kernel_id, "watch", "stopping"))
            running = (task for task in self._stopped if not task.done)
            self._stopped = (*running, watching)

    async def _start_next(self) -> Started:
        started = await super()._start_next()
        if self.is_started:
            self._watch_on()
        return started

    def _watch_on(self) -> None:
        if self._watching is None or self._watching.done:
            self._watching = BackgroundTask(self._watch)

    async def _watch(self) -> None:
        before: KernelManagerABC | None = None
        while self.is_started and before is not self.kernel_manager:
            before = self.kernel_manager
            await wait_for_the_end(before, self.time_to_dead, self._sleep)
            await self._has_ended(before)
