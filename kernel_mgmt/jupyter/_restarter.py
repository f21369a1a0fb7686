"""Restarters for jupyter_client's managers that wait for the end of a kernel."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from jupyter_client.ioloop import restarter
from jupyter_core.utils import ensure_async
from traitlets import Bool

from kernel_mgmt.exceptions import KernelStateError

from .provisioner import KernelProvisioner

__all__ = ("AsyncIOLoopKernelRestarter", "IOLoopKernelRestarter")

# The pause before the second attempt; it doubles with each further one (seconds).
_PAUSE = 0.5


class IOLoopKernelRestarter(restarter.IOLoopKernelRestarter):
    """Starts a kernel again as soon as it has ended, unless it is being shut down.

    Settings, events and callbacks are those of jupyter_client. The kernel listens where it did,
    unless it ended since a port was taken. A kernel of another provisioner is looked at every
    ``time_to_dead`` seconds.
    """

    restart_on_exit_0 = Bool(
        True,
        config=True,
        help="Whether a kernel is started again that has ended with exit code 0, as by exit().",
    )
    _watch: _Watch | None = None

    def start(self) -> None:
        """Begin to watch the kernel; nothing happens if it is watched."""
        if self._watch is None:
            self._watch = _Watch()
            self.loop.add_callback(self._begin, self._watch)

    def stop(self) -> None:
        """Cease to watch the kernel; a restart that has begun is left to the manager."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()

    def _begin(self, watch: _Watch) -> None:
        if watch is self._watch:
            watch.task = asyncio.create_task(self._follow(watch))

    async def _follow(self, watch: _Watch) -> None:
        manager: Any = self.kernel_manager
        await self._wait_for_the_end()
        if watch is not self._watch or manager.shutting_down:
            return
        self._take_note_of_the_end(time.time() - watch.begun_at)
        await self._restart_until_started(watch)

    async def _wait_for_the_end(self) -> None:
        manager: Any = self.kernel_manager
        while await ensure_async(manager.is_alive()):
            if isinstance(manager.provisioner, KernelProvisioner):
                await manager.provisioner.ended()
            else:
                await asyncio.sleep(self.time_to_dead)

    def _take_note_of_the_end(self, lived: float) -> None:
        manager: Any = self.kernel_manager
        stable: float = self.stable_start_time
        if manager.provisioner is not None:
            stable = manager.provisioner.get_stable_start_time(recommended=stable)
        if lived >= stable:
            self._initial_startup = self._restarting = False
        status = getattr(manager, "exit_status", None)
        self.log.warning("The kernel %s has ended (%s)", manager.kernel_id, _told(status))

    async def _restart_until_started(self, watch: _Watch) -> None:
        while await self._may_restart():
            if self._restart_count > 1:
                await asyncio.sleep(min(_PAUSE * 2 ** (self._restart_count - 2), self.time_to_dead))
            if watch is not self._watch:
                return
            # Who ends it from now on breaks off the restart, and not this task.
            self._watch = None
            if await self._restart():
                return
            self._watch = watch
        self._fire_callbacks("dead")
        self._restarting = False
        self._restart_count = 0
        self.stop()

    async def _may_restart(self) -> bool:
        self._restart_count = self._restart_count + 1 if self._restarting else 1
        if self._restart_count > self.restart_limit:
            self.log.warning("The kernel is restarted no more, after %i times", self.restart_limit)
            return False
        provisioner: Any = self.kernel_manager.provisioner
        return self.restart_on_exit_0 or await provisioner.poll() != 0

    async def _restart(self) -> bool:
        """Restart the kernel, and return whether there is nothing more to do."""
        manager: Any = self.kernel_manager
        self.log.info("Restarting the kernel (%i/%i)", self._restart_count, self.restart_limit)
        self._restarting = True
        self._fire_callbacks("restart")
        try:
            await ensure_async(manager.restart_kernel(now=True, newports=self._wants_new_ports()))
        except KernelStateError:  # it has been shut down meanwhile
            return True
        except Exception:
            self.log.exception("The kernel was not restarted")
            return False
        return True

    def _wants_new_ports(self) -> bool:
        if not (self.random_ports_until_alive and self._initial_startup):
            return False
        provisioner: Any = self.kernel_manager.provisioner
        if isinstance(provisioner, KernelProvisioner):
            return provisioner.has_port_conflict
        # Others do not tell; but where the first attempt has failed, it may be for the ports.
        return self._restart_count > 1


class AsyncIOLoopKernelRestarter(IOLoopKernelRestarter, restarter.AsyncIOLoopKernelRestarter):
    """Starts a kernel of an asynchronous manager again, in the same way."""


class _Watch:
    """The time in which a kernel is watched."""

    def __init__(self) -> None:
        self.begun_at = time.time()
        self.task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.task is not None and not self.task.done():
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)


def _told(status: Any) -> str:
    if status is None:
        return "how is not known"
    return f"{status}); its last output was:\n{status.tail}" if status.tail else str(status)
