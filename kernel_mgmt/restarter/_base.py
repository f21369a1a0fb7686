"""What all restarters have in common, however they learn of the end of a kernel."""

from __future__ import annotations

import random as random_numbers
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.exceptions import KernelStateError
from kernel_mgmt.types import LaunchOptions

from ._events import RestartCallback, RestartEvent, RestartEventName
from ._plan import LaunchPlan, Started, end_at_once
from ._policy import RestartPolicy
from ._recovery import Recovery
from ._watch import seems_alive

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import ConnectionInfo, LaunchParams

__all__ = ("KernelRestarterBase",)


class KernelRestarterBase(ABC):
    """Starts a kernel again that has ended.

    A subclass has its own way to learn of the end: in :meth:`start` it begins to watch, it calls
    :meth:`poll` when the kernel may have ended, and in :meth:`stop` it ceases. Both call those of
    this class.

    The kernel that is started again has the id, the working directory, the launch parameters and the
    options of the one before.

    :param kernel_manager: the manager of the kernel
    :param kernel_type: the name of its type, such as ``"spec/python3"``
    :param kernel_finder: where the type is looked up; by default, all installed providers
    :param cwd: the working directory that the kernel was started in
    :param launch_params: the launch parameters that it was started with
    :param options: the options that it was started with
    :param restart_limit: how many attempts in quick succession are made; see :class:`RestartPolicy`,
        as for ``stable_time``, ``backoff``, ``backoff_limit`` and ``restart_on_exit_0``
    :param time_to_dead: how often to look, in seconds, where the end cannot be waited for
    :param reuse_ports: whether the next kernel listens where the one before did, with the same key,
        so that clients of other programs go on. Where it cannot, and after an attempt that failed,
        it listens elsewhere.
    :param startup_timeout: how long a kernel may take to be ready, in seconds
    :param clock: returns seconds
    :param random: returns a number from 0 to 1
    :param sleep: sleeps for some seconds

    :ivar kernel_manager: the manager of the present kernel
    :ivar is_started: whether the kernel is watched
    """

    def __init__(
        self,
        kernel_manager: KernelManagerABC,
        kernel_type: str,
        kernel_finder: KernelFinder | None = None,
        *,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        options: LaunchOptions | None = None,
        restart_limit: int = 5,
        time_to_dead: float = 3.0,
        stable_time: float = 10.0,
        backoff: float = 0.5,
        backoff_limit: float = 30.0,
        restart_on_exit_0: bool = False,
        reuse_ports: bool = False,
        startup_timeout: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_numbers.random,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self.kernel_manager = kernel_manager
        self.kernel_type = kernel_type
        self.time_to_dead = time_to_dead
        self.is_started = False
        options = LaunchOptions() if options is None else options
        self._plan = LaunchPlan(
            kernel_type, cwd, launch_params, kernel_finder, options, startup_timeout
        )
        policy = RestartPolicy(
            restart_limit, stable_time, backoff, backoff_limit, restart_on_exit_0
        )
        self._kernel_id = kernel_manager.kernel_id
        self._recovery = Recovery(self._kernel_id, policy, clock=clock, random=random, sleep=sleep)
        self._reuse_ports = reuse_ports
        self._place: ConnectionInfo | None = getattr(kernel_manager, "connection_info", None)
        self._restarting: BackgroundTask[bool] | None = None
        self._broken_off: tuple[BackgroundTask[bool], ...] = ()
        self._is_auto = False
        self._failed_by_hand: KernelManagerABC | None = None
        # What is ended for the sake of a restart is asked to end, and to be followed all the same.
        self._making_way: KernelManagerABC | None = None
        self._sleep = sleep

    @property
    def restart_count(self) -> int:
        """How many attempts in quick succession there have been."""
        return self._recovery.attempts.count

    @abstractmethod
    def start(self) -> None:
        """Begin to watch the kernel; nothing happens if it is watched.

        It is watched until :meth:`stop`, until it is given up, or until the event loop ends.
        """
        if not self.is_started:
            self.is_started = True
            self._failed_by_hand = None
            self._recovery.attempts.start_over()

    @abstractmethod
    def stop(self) -> None:
        """Cease to watch, and break off a restart that is under way; the iterations end.

        The kernel is left as it is. One that ends at the same time is not started again, and one
        that is being started is ended.
        """
        self.is_started = False
        self._break_off("stopping")
        self._recovery.events.end_streams()

    async def poll(self) -> None:
        """Look whether the kernel has ended; if it has, start it again.

        It returns when the kernel is ready, or is not started again.
        """
        manager = self.kernel_manager
        if self.is_started and not await seems_alive(manager):
            await self._has_ended(manager)

    async def do_restart(self, auto: bool = False) -> bool:
        """End the kernel, start it again, and wait until it is ready.

        Calls at the same time have one restart in common, and take the place of one that the
        restarter makes of itself. A caller that is cancelled leaves it going on.

        :param auto: whether it is done as if the kernel had died: attempts are counted and follow
            each other, and one that fails raises nothing. Otherwise the attempts before are
            forgotten, and there is one.
        :return: whether the kernel is ready
        :raises KernelStateError: if :meth:`stop` is called meanwhile
        :raises KernelManagementError: if the kernel cannot be started, as ``start_kernel_async``
            does; it is not tried again then
        """
        if auto:
            restarting = self._begin(self._recover_again, auto=True)
        else:
            restarting = self._begin(self._restart, auto=False)
        return await restarting.result()

    def add_callback(self, f: RestartCallback, event: RestartEventName) -> None:
        """Call a function at each event of a kind: ``died``, ``restarted`` or ``failed``.

        One that raises is logged. A coroutine function is run in a task of its own, after those
        that were called before it; a restart waits for none.

        :param f: a function or coroutine function; its argument is a :class:`DiedEvent`, a
            :class:`RestartedEvent` or a :class:`FailedEvent`
        :raises ValueError: if there is no such event
        """
        self._recovery.events.add_callback(f, event)

    def remove_callback(self, f: RestartCallback, event: RestartEventName) -> None:
        """Call a function no more; nothing happens if it was not."""
        self._recovery.events.remove_callback(f, event)

    def events(self) -> AsyncIterator[RestartEvent]:
        """Iterate over the events from now on, until the kernel is watched no more."""
        return self._recovery.events.stream()

    def _begin(self, restart: Callable[[], Awaitable[bool]], *, auto: bool) -> BackgroundTask[bool]:
        """Begin a restart, or join the one under way; by hand, take the place of an automatic one."""
        under_way = self._restarting
        if under_way is not None and not under_way.done and (auto or not self._is_auto):
            return under_way
        self._break_off("restarting")
        self._is_auto = auto
        self._restarting = BackgroundTask(partial(_run_after, self._broken_off, restart))
        return self._restarting

    def _break_off(self, state: str) -> None:
        """Break off the restart under way, if there is one; it takes a while to end."""
        restarting, self._restarting = self._restarting, None
        running = [task for task in self._broken_off if not task.done]
        if restarting is not None and not restarting.done:
            restarting.cancel(KernelStateError(self._kernel_id, "restart", state))
            running.append(restarting)
        self._broken_off = tuple(running)

    async def _has_ended(self, manager: KernelManagerABC) -> None:
        """Start the kernel again, if it is watched and this is the end of the present one."""
        for task in (*self._broken_off, self._restarting):
            if task is not None:
                await task.ended()
        present = self.kernel_manager is not self._failed_by_hand
        if self.is_started and manager is self.kernel_manager and present:
            recovering = self._begin(self._recover, auto=True)
            await recovering.ended()

    async def _recover(self) -> bool:
        manager = self.kernel_manager
        wanted = manager is self._making_way or self._recovery.policy.wants_restart(manager)
        self._recovery.tell_of_the_end(manager, restarting=wanted)
        if not self.is_started:  # a callback has stopped it
            return False
        return await self._restart_until_ready() if wanted else await self._give_up()

    async def _recover_again(self) -> bool:
        await self._make_way()
        return await self._restart_until_ready()

    async def _restart_until_ready(self) -> bool:
        status = self.kernel_manager.exit_status
        ready = await self._recovery.restart(self._start_next, status)
        return ready or await self._give_up()

    async def _give_up(self) -> bool:
        await end_at_once(self.kernel_manager)
        self.stop()
        return False

    async def _restart(self) -> bool:
        try:
            started = await self._start_next()
        except Exception:
            self._failed_by_hand = self.kernel_manager
            raise
        self._recovery.attempts.start_over()
        self._recovery.tell_of_the_restart(started, auto=False)
        return True

    async def _make_way(self) -> None:
        manager = self.kernel_manager
        if not manager.asked_to_end:
            self._making_way = manager
        await end_at_once(manager)

    async def _start_next(self) -> Started:
        await self._make_way()
        place, self._place = self._place, None
        started = await self._plan.elsewhere().start(
            self._kernel_id, restart=True, listen_at=place if self._reuse_ports else None
        )
        started.client.close()
        self.kernel_manager = started.manager
        self._place = started.client.connection_info
        return started


async def _run_after(
    before: Iterable[BackgroundTask[bool]], restart: Callable[[], Awaitable[bool]]
) -> bool:
    for task in before:
        await task.ended()
    return await restart()
