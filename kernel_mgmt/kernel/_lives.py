"""The lives of a kernel, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakMethod

import anyio
import anyio.lowlevel

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import ClientClosedError, KernelStateError
from kernel_mgmt.restarter._plan import LaunchPlan, Started, end_at_once
from kernel_mgmt.restarter._watch import wait_for_the_end

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import ShutdownStage
    from kernel_mgmt.types import ConnectionInfo, ExitStatus

    from ._ending import Ending
    from ._status import KernelStatus

# How often to look whether a kernel runs that cannot be waited for (seconds).
_TIME_TO_DEAD = 3.0


class Lives:
    """Starts, watches and ends a kernel; the client is moved from each life to the next.

    :param died: called with the manager when the kernel has ended while it was watched; held weakly

    :ivar plan: what it takes to start the kernel
    :ivar manager: the manager of the present or the last life
    :ivar connection_info: how that is reached
    :ivar exit_status: how that ended
    :ivar ended_by: what has ended that, if it was :meth:`end` or a start that was broken off
    :ivar watched: the manager whose end is told, if there is one
    """

    def __init__(
        self,
        kernel_id: str,
        plan: LaunchPlan,
        status: KernelStatus,
        died: Callable[[KernelManagerABC], None],
    ) -> None:
        self.plan = plan
        self.manager: KernelManagerABC | None = None
        self.client: KernelClient | None = None
        self.connection_info: ConnectionInfo | None = None
        self.exit_status: ExitStatus | None = None
        self.ended_by: ShutdownStage | None = None
        self._kernel_id = kernel_id
        self._status = status
        self._died = WeakMethod(died)
        self._place: ConnectionInfo | None = None
        self.watched: KernelManagerABC | None = None
        self._watching: BackgroundTask[None] | None = None

    async def start(self) -> Started:
        """Clean up after the life before, begin another, and wait until the kernel is ready."""
        return await self._begin(self.plan, None)

    async def restart(self, *, new_ports: bool) -> Started:
        """Begin another life in the place of the one before, and wait until the kernel is ready.

        :param new_ports: whether it need not listen where the one before did. After a start that
            has failed it need not anyway.
        """
        plan = self.plan if self.manager is None else self.plan.elsewhere()
        return await self._begin(plan, None if new_ports else self._place)

    async def adopt(self, manager: KernelManagerABC) -> None:
        """Take over a kernel that runs, and wait until it is ready."""
        client = self._connect(manager.connection_info, manager)
        try:
            await client.wait_for_ready(self.plan.startup_timeout)
        except Exception:
            # It is left as it is, and none of ours.
            client.close()
            self.manager = self.client = self.connection_info = None
            raise
        self._is_ready(manager)

    async def end(self, ending: Ending, timeout: float, *, restart: bool) -> ShutdownStage:
        """End the present life; nothing happens if there is none.

        :return: what ended it
        """
        manager, client = self.manager, self.client
        if manager is None or client is None:
            return "dead"
        self.stop_watching()
        try:
            stage = await ending.end(client, manager, timeout, restart=restart)
        finally:
            self.exit_status = manager.exit_status
        if stage != "dead":
            self.ended_by = stage
        return stage

    def check(self) -> None:
        """Make sure that the caller runs in the event loop in which the kernel is watched.

        When that has ended, the kernel is watched and talked to in the loop of the caller.

        :raises RuntimeError: if it runs in another event loop or thread
        """
        if self._watching is None:
            return
        if not self._watching.done:
            self._watching.check()
        elif self._status.runs and self.manager is not None and self.connection_info is not None:
            self._connect(self.connection_info, self.manager)
            self._is_ready(self.manager)

    def stop_watching(self) -> None:
        """Take no note of the end of the kernel any more; any thread may ask for it."""
        self.watched = None
        watching, self._watching = self._watching, None
        if watching is not None:
            stopped = KernelStateError(self._kernel_id, "watch", "stopping")
            watching.cancel_from_anywhere(stopped)

    async def _begin(self, plan: LaunchPlan, place: ConnectionInfo | None) -> Started:
        await anyio.lowlevel.checkpoint_if_cancelled()
        self.ended_by = None
        before = self.manager
        if before is not None:
            await end_at_once(before)
        self._place = None
        try:
            started = await plan.start(
                self._kernel_id,
                restart=before is not None,
                listen_at=place,
                connect=self._connect,
                disconnect=_leave_open,
            )
        except BaseException as error:
            if self.manager is not before:
                self.ended_by = "killed"
            self.exit_status = getattr(error, "exit_status", None) or self._status_of_manager()
            raise
        self._is_ready(started.manager)
        return started

    def _connect(self, connection_info: ConnectionInfo, manager: KernelManagerABC) -> KernelClient:
        self.manager, self.connection_info = manager, connection_info
        self.exit_status = self.ended_by = None
        self._status.begin_life()
        if self.client is not None:
            try:
                self.client.reconnect(connection_info, manager)
            except (ClientClosedError, RuntimeError):  # its event loop has ended
                self.client = None
        if self.client is None:
            self.client = KernelClient(connection_info, manager)
            self.client.add_handler(self._status.take)
        return self.client

    def _is_ready(self, manager: KernelManagerABC) -> None:
        self._place = self.connection_info
        self._status.run()
        self.watched = manager
        self._watching = BackgroundTask(partial(_watch, manager, self._died))

    def _status_of_manager(self) -> ExitStatus | None:
        return None if self.manager is None else self.manager.exit_status


def _leave_open(client: KernelClient) -> None:
    """Do nothing: the client goes on to the next life."""


async def _watch(
    manager: KernelManagerABC, died: WeakMethod[Callable[[KernelManagerABC], None]]
) -> None:
    await wait_for_the_end(manager, _TIME_TO_DEAD, anyio.sleep)
    call = died()
    if call is not None:
        call(manager)
