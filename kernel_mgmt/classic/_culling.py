"""End kernels that nobody has used for some time."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakMethod, ref

import anyio

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.exceptions import KernelStateError

if TYPE_CHECKING:
    from ._operations import KernelOperations

__all__ = ("USUAL_INTERVAL", "CullingSettings", "KernelCuller")

log = logging.getLogger(__name__)

# How often to look (seconds).
USUAL_INTERVAL = 300.0


class CullingSettings(Protocol):
    """When a kernel is taken to be used no more; all may be changed at any time.

    :ivar cull_idle_timeout: how long it has published nothing, in seconds; 0 if none is ended
    :ivar cull_interval: how often to look, in seconds; every 300 when it is 0 or less
    :ivar cull_busy: whether one that is busy may be ended
    :ivar cull_connected: whether one that has clients may be ended
    :ivar now: returns the time
    """

    cull_idle_timeout: float
    cull_interval: float
    cull_busy: bool
    cull_connected: bool
    now: Callable[[], datetime]


class KernelCuller:
    """Looks from time to time which kernels are used no more, and ends them.

    :param settings: held weakly; the culling ends when it is gone
    :param managers: returns the managers by the ids of their kernels; held weakly, for each of them
        may hold the settings
    :param end: ends a kernel; held weakly
    """

    def __init__(
        self,
        settings: CullingSettings,
        managers: Callable[[], Mapping[str, KernelOperations[Any]]],
        end: Callable[[str], Awaitable[object]],
    ) -> None:
        self._settings = ref(settings, self._lost)
        self._managers = WeakMethod(managers)
        self._end = WeakMethod(end)
        self._culling: BackgroundTask[None] | None = None

    def start(self) -> None:
        """Look from now on, in this event loop, or go on doing so, if kernels are to be ended."""
        settings = self._settings()
        at_work = self._culling is not None and not self._culling.done
        if settings is not None and settings.cull_idle_timeout > 0 and not at_work:
            self._culling = BackgroundTask(self._cull)

    def stop(self) -> None:
        """Look no more; any thread may call it."""
        culling, self._culling = self._culling, None
        if culling is not None:
            culling.cancel_from_anywhere(KernelStateError("", "cull", "gone"))

    def _lost(self, settings: object) -> None:
        self.stop()

    async def _cull(self) -> None:
        while (settings := self._settings()) is not None:
            interval = settings.cull_interval if settings.cull_interval > 0 else USUAL_INTERVAL
            del settings
            await anyio.sleep(interval)
            for kernel_id in self._idle_kernels():
                await self._end_one(kernel_id)

    def _idle_kernels(self) -> list[str]:
        settings, managers = self._settings(), self._managers()
        if settings is None or managers is None:
            return []
        return [id for id, manager in managers().items() if _is_idle(manager, settings)]

    async def _end_one(self, kernel_id: str) -> None:
        end = self._end()
        if end is None:
            return
        log.info("the kernel %s has not been used for some time, and is ended", kernel_id)
        try:
            await end(kernel_id)
        except Exception:
            log.exception("the kernel %s cannot be ended", kernel_id)


def _is_idle(manager: KernelOperations[Any], settings: CullingSettings) -> bool:
    if settings.cull_idle_timeout <= 0 or not manager.owns_kernel or not manager.ready.done():
        return False
    limit = timedelta(seconds=settings.cull_idle_timeout)
    if settings.now() - manager.last_activity <= limit:
        return False
    unused = settings.cull_connected or manager.connections <= 0
    return unused and (settings.cull_busy or manager.execution_state != "busy")
