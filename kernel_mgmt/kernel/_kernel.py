"""A kernel that is owned over many lives."""

from __future__ import annotations

import random as random_numbers
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import uuid4

import anyio

from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import KernelStateError
from kernel_mgmt.restarter import (
    RestartCallback,
    RestartedEvent,
    RestartEvent,
    RestartEventName,
    RestartPolicy,
)
from kernel_mgmt.restarter._plan import LaunchPlan, end_at_once
from kernel_mgmt.restarter._recovery import Recovery
from kernel_mgmt.types import LaunchOptions

from ._ending import Ending, ShutdownOutcome
from ._lives import Lives
from ._operation import Operation, OperationName
from ._status import KernelState, KernelStatus

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import ConnectionInfo, ExitStatus, LaunchParams

__all__ = ("Kernel",)

T = TypeVar("T")

_STATE_OF: Mapping[OperationName, KernelState] = {
    "start": "starting",
    "restart": "restarting",
    "shutdown": "stopping",
}


def _now() -> datetime:
    return datetime.now(UTC)


class Kernel:
    """A kernel that is owned over many lives: its id and its client stay when it is restarted.

    ::

        async with Kernel("spec/python3", autorestart=True) as kernel:
            await kernel.client.execute("x = 1")
            await kernel.restart()

    The block starts the kernel, and shuts it down at its end; :meth:`start` and :meth:`shutdown` do
    the same where there is no block. Any task may call them at any time: they are done one after
    the other, in a task of their own, and the callers only wait. A caller that is cancelled neither
    stops what it has asked for nor disturbs others that wait for it.

    It belongs to the event loop that it is used in. When that ends, the kernel goes on, and the
    next event loop that uses it takes it over, with a new client.

    :param kernel_type: such as ``"spec/python3"``; a bare name is one of ``spec``
    :param cwd: the working directory of the kernel; this process's when ``None``
    :param launch_params: values for the kernel's launch parameters
    :param finder: where the kernel type is looked up; by default, all installed providers
    :param options: what is asked of the framework rather than of the kernel
    :param autorestart: whether the kernel is started again when it has died
    :param restart_policy: when and how often
    :param startup_timeout: how long the kernel may take to be ready, in seconds
    :param shutdown_timeout: how long it may take to end when it is asked to, and again when it is
        sent SIGTERM, in seconds
    :param now: returns the time, for ``since`` and ``last_activity``
    :param clock: returns seconds, for the restart policy
    :param random: returns a number from 0 to 1, for the restart policy
    :param sleep: sleeps for some seconds, between attempts to restart

    :ivar kernel_id: the id of the kernel, the same in each life
    :ivar kernel_type: the name of its type
    :ivar autorestart: whether the kernel is started again when it has died; may be changed
    :ivar shutdown_timeout: as above; may be changed
    """

    def __init__(
        self,
        kernel_type: str,
        cwd: str | PathLike[str] | None = None,
        launch_params: LaunchParams | None = None,
        *,
        finder: KernelFinder | None = None,
        options: LaunchOptions | None = None,
        autorestart: bool = False,
        restart_policy: RestartPolicy | None = None,
        startup_timeout: float = 60.0,
        shutdown_timeout: float = 5.0,
        now: Callable[[], datetime] = _now,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_numbers.random,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        options = LaunchOptions() if options is None else options
        policy = RestartPolicy() if restart_policy is None else restart_policy
        self.kernel_id = options.kernel_id or str(uuid4())
        self.kernel_type = kernel_type
        self.autorestart = autorestart
        self.shutdown_timeout = shutdown_timeout
        self._status = KernelStatus(now)
        self._recovery = Recovery(self.kernel_id, policy, clock=clock, random=random, sleep=sleep)
        plan = LaunchPlan(kernel_type, cwd, launch_params, finder, options, startup_timeout)
        self._lives = Lives(self.kernel_id, plan, self._status, self._has_died)
        self._operations: list[Operation[Any]] = []
        self._endings: list[Ending] = []

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.shutdown(now=True)
            self._close_client()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        try:
            with anyio.CancelScope(shield=True):
                await self.shutdown()
        finally:
            self._close_client()
            await self._recovery.events.finish()

    def __del__(self) -> None:
        # The manager warns if its kernel still runs.
        lives: Lives | None = getattr(self, "_lives", None)
        if lives is not None:
            lives.stop_watching()

    def __repr__(self) -> str:
        return f"<Kernel {self.kernel_id} ({self.kernel_type}): {self.state}>"

    # What it is

    @property
    def client(self) -> KernelClient:
        """The client, which goes over to the next kernel at each restart.

        :raises KernelStateError: if the kernel has never been launched
        """
        if self._lives.client is None:
            raise KernelStateError(self.kernel_id, "talk to", self.state)
        return self._lives.client

    @property
    def manager(self) -> KernelManagerABC | None:
        """The manager of the present kernel, or of the last one."""
        return self._lives.manager

    @property
    def connection_info(self) -> ConnectionInfo | None:
        """How the present kernel, or the last one, is reached."""
        return self._lives.connection_info

    @property
    def options(self) -> LaunchOptions:
        """What is asked of the framework when the kernel is launched next; may be set."""
        return self._lives.plan.options

    @options.setter
    def options(self, options: LaunchOptions) -> None:
        options = replace(options, kernel_id=self.options.kernel_id)
        self._lives.plan = replace(self._lives.plan, options=options)

    @property
    def cwd(self) -> str | PathLike[str] | None:
        """The working directory in which the kernel is launched next; may be set."""
        return self._lives.plan.cwd

    @cwd.setter
    def cwd(self, cwd: str | PathLike[str] | None) -> None:
        self._lives.plan = replace(self._lives.plan, cwd=cwd)

    @property
    def launch_params(self) -> LaunchParams | None:
        """The launch parameters with which the kernel is launched next; may be set."""
        return self._lives.plan.launch_params

    @launch_params.setter
    def launch_params(self, launch_params: LaunchParams | None) -> None:
        self._lives.plan = replace(self._lives.plan, launch_params=launch_params)

    @property
    def state(self) -> KernelState:
        """``"starting"``, ``"idle"``, ``"busy"``, ``"restarting"``, ``"stopping"`` or ``"dead"``."""
        return self._status.state

    @property
    def since(self) -> datetime:
        """When the state began."""
        return self._status.since

    @property
    def reason(self) -> str:
        """Why the kernel is in this state, for people."""
        return self._status.reason

    @property
    def last_activity(self) -> datetime:
        """When the kernel has last published something, or has become ready."""
        return self._status.last_activity

    @property
    def execution_state(self) -> str | None:
        """What the kernel has last said of itself, such as ``"busy"``; ``None`` before it has."""
        return self._status.execution_state

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the last kernel ended; ``None`` while one runs, or if that is not known."""
        return self._lives.exit_status

    @property
    def restart_count(self) -> int:
        """How many attempts to restart it in quick succession there have been."""
        return self._recovery.attempts.count

    async def is_alive(self) -> bool:
        """Whether the process of the kernel runs."""
        return self.manager is not None and await self.manager.is_alive()

    async def wait_for(self, *states: KernelState) -> KernelState:
        """Wait until the kernel is, or has been for a moment, in one of these states.

        :return: the state
        """
        seen: list[KernelState] = [self.state] if self.state in states else []
        changed = anyio.Event()

        def look() -> None:
            if self.state in states:
                seen.append(self.state)
                changed.set()

        self._status.watchers.append(look)
        try:
            if not seen:
                await changed.wait()
        finally:
            self._status.watchers.remove(look)
        return seen[0]

    def take_over(self) -> None:
        """Watch the kernel in this event loop, if the one that it was used in has ended.

        Whatever else is done with it does so, too, but for asking what it is.

        :raises RuntimeError: if no event loop runs, or the kernel is used in another one
        """
        under_way = next((each for each in self._operations if not each.done), None)
        # A thread that is refused must not have changed anything.
        (self._lives if under_way is None else under_way).check()

    # What can be done with it

    async def start(self) -> None:
        """Start the kernel, and wait until it is ready; nothing happens if it runs.

        A start or restart that is under way is joined.

        :raises KernelStateError: if it is being shut down, or is before it is ready
        :raises KernelManagementError: if it cannot be started, as ``start_kernel_async`` does
        """
        under_way = self._not_stopping("start")
        if under_way is None and self._status.runs:
            return
        if under_way is None or under_way.name == "recover":
            under_way = self._begin("start", self._start)
        await under_way.result()

    async def adopt(self, manager: KernelManagerABC) -> None:
        """Take over a kernel that runs, in place of starting one, and wait until it is ready.

        :param manager: such as ``finder.reattach`` returns; its kernel id is that of this object
        :raises ValueError: if it is not
        :raises KernelStateError: if there is a kernel already
        :raises KernelDiedError: if it dies before it is ready
        :raises TimeoutError: if it is not ready within the ``startup_timeout``
        """
        if manager.kernel_id != self.kernel_id:
            raise ValueError(
                f"the kernel {manager.kernel_id} is not {self.kernel_id}; "
                "use options=LaunchOptions(kernel_id=...)"
            )
        if self._not_stopping("adopt") is not None or self.state != "dead":
            raise KernelStateError(self.kernel_id, "adopt", self.state)
        await self._begin("start", partial(self._lives.adopt, manager)).result()

    async def restart(
        self,
        now: bool = False,
        new_ports: bool = False,
        *,
        env: Mapping[str, str] | None = None,
    ) -> RestartedEvent:
        """End the kernel, start it again, and wait until it is ready; one that is dead is started.

        A restart that is under way is joined, if it was asked for in the same way; otherwise this
        one comes after it. It takes the place of an automatic one.

        :param now: whether the kernel is killed, rather than asked to end
        :param new_ports: whether the next kernel listens elsewhere and has a new key; by default,
            clients of other programs go on
        :param env: environment variables for this and all further launches
        :return: what the event ``restarted`` tells; where the ports could not be had again, its
            ``new_ports`` is true
        :raises KernelStateError: if it is being shut down, or is before it is ready
        :raises KernelManagementError: if it cannot be started, as ``start_kernel_async`` does; it
            is dead then, also where it is restarted automatically
        """
        under_way = self._not_stopping("restart")
        wish = (now, new_ports, dict(env or {}))
        self.update_env(env or {})
        if under_way is None or under_way.name != "restart" or under_way.wish != wish:
            under_way = self._begin("restart", partial(self._restart, now, new_ports), wish)
        event: RestartedEvent = await under_way.result()
        return event

    async def shutdown(self, now: bool = False) -> ShutdownOutcome:
        """End the kernel: ask it to, then terminate it, then kill it; and clean up after it.

        A shutdown that is under way is joined, and hurried up if this one is to be now. It breaks
        off whatever else is under way.

        :param now: whether the kernel is killed at once
        :return: what ended it, for all callers the same
        """
        under_way = self._under_way()
        if under_way is None or under_way.name != "shutdown":
            broken_off = [each for each in self._operations if not each.done]
            for operation in broken_off:
                operation.cancel(KernelStateError(self.kernel_id, operation.name, "stopping"))
            ending = Ending(now)
            self._endings.append(ending)
            work = partial(self._shutdown, ending, bool(broken_off))
            under_way = self._begin("shutdown", work)
        if now:
            for ending in self._endings:
                ending.hurry()
        outcome: ShutdownOutcome = await under_way.result()
        return outcome

    async def kill(self) -> ShutdownOutcome:
        """End the kernel at once, and clean up after it; the same as ``shutdown(now=True)``."""
        return await self.shutdown(now=True)

    async def interrupt(self) -> None:
        """Interrupt what the kernel is doing, in the way that its kernel type asks for.

        :raises KernelStateError: if it is not idle or busy
        :raises InterruptUnsupportedError: if nothing interrupts it
        """
        self._running("interrupt")
        await self.client.interrupt()

    async def signal(self, signum: int) -> None:
        """Send a signal to the kernel and its children.

        :raises KernelStateError: if it is not idle or busy
        """
        await self._running("signal").signal(signum)

    def update_env(self, env: Mapping[str, str]) -> None:
        """Add environment variables for the launches to come."""
        if env:
            self.options = replace(self.options, env={**self.options.env, **env})

    def add_callback(self, f: RestartCallback, event: RestartEventName) -> None:
        """Call a function at each event of a kind: ``died``, ``restarted`` or ``failed``.

        As :meth:`KernelRestarter.add_callback`; restarts that were asked for are told, too.
        """
        self._recovery.events.add_callback(f, event)

    def remove_callback(self, f: RestartCallback, event: RestartEventName) -> None:
        """Call a function no more; nothing happens if it was not."""
        self._recovery.events.remove_callback(f, event)

    def events(self) -> AsyncIterator[RestartEvent]:
        """Iterate over the events from now on, until the kernel is dead."""
        return self._recovery.events.stream()

    # How it is done

    def _under_way(self) -> Operation[Any] | None:
        """The operation that ends last; ``None`` if there is none."""
        self._operations = [each for each in self._operations if not each.done]
        if self._operations:
            self._operations[-1].check()
            return self._operations[-1]
        self._lives.check()
        return None

    def _not_stopping(self, wanted: str) -> Operation[Any] | None:
        under_way = self._under_way()
        if under_way is not None and under_way.name == "shutdown":
            raise KernelStateError(self.kernel_id, wanted, "stopping")
        return under_way

    def _running(self, wanted: str) -> KernelManagerABC:
        if self._under_way() is not None or not self._status.runs or self.manager is None:
            raise KernelStateError(self.kernel_id, wanted, self.state)
        return self.manager

    def _begin(
        self, name: OperationName, work: Callable[[], Awaitable[T]], wish: object = None
    ) -> Operation[T]:
        """Begin an operation as soon as those before it have ended; it replaces a recovery."""
        before = tuple(self._operations)
        for other in before:
            if other.name == "recover":
                other.cancel(KernelStateError(self.kernel_id, "recover", _STATE_OF[name]))
        operation = Operation(name, partial(self._carry_out, name, work), before, wish)
        self._operations.append(operation)
        if name == "shutdown" or not before:
            self._enter(name)
        return operation

    def _enter(self, name: OperationName) -> None:
        state = _STATE_OF.get(name, self.state)
        if self.state != state and (name != "shutdown" or self.state != "dead"):
            self._status.enter(state, "it was asked for")

    async def _carry_out(self, name: OperationName, work: Callable[[], Awaitable[T]]) -> T:
        reason = "it was not ready when its event loop ended"
        self._enter(name)
        try:
            return await work()
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise
        finally:
            if sum(not each.done for each in self._operations) == 1:
                self._settle(reason)

    def _settle(self, reason: str) -> None:
        """Make sure that a kernel which no operation made ready is told to be dead."""
        if not self._status.runs:
            if self.state != "dead":
                self._status.enter("dead", reason)
            self._recovery.events.end_streams()

    async def _start(self) -> None:
        await self._lives.start()
        self._recovery.attempts.start_over()

    async def _restart(self, now: bool, new_ports: bool) -> RestartedEvent:
        ending = Ending(now)
        self._endings.append(ending)
        try:
            # A shutdown that breaks off the restart lets this go on, in stages.
            with anyio.CancelScope(shield=True):
                await self._lives.end(ending, self.shutdown_timeout, restart=True)
        finally:
            self._endings.remove(ending)
        started = await self._lives.restart(new_ports=new_ports)
        self._recovery.attempts.start_over()
        return self._recovery.tell_of_the_restart(started, auto=False)

    async def _shutdown(self, ending: Ending, has_broken_off: bool) -> ShutdownOutcome:
        lives = self._lives
        try:
            stage = await lives.end(ending, self.shutdown_timeout, restart=False)
        finally:
            self._endings.remove(ending)
        if stage == "dead" and has_broken_off and lives.ended_by is not None:
            stage = lives.ended_by
        if self.state != "dead":
            self._status.enter("dead", f"it was shut down ({stage})")
        return ShutdownOutcome(stage, lives.exit_status)

    def _has_died(self, manager: KernelManagerABC) -> None:
        # What an operation ends is not watched any more, but its end may be on its way here.
        if manager is not self._lives.watched or self._under_way() is not None:
            return
        status = self._lives.exit_status = manager.exit_status
        wanted = self.autorestart and self._recovery.policy.wants_restart(manager)
        how = "how is not known" if status is None else str(status)
        self._status.enter("restarting" if wanted else "dead", f"it died ({how})")
        self._recovery.tell_of_the_end(manager, restarting=wanted)
        self._begin("recover", partial(self._recover, manager, wanted))

    async def _recover(self, manager: KernelManagerABC, wanted: bool) -> None:
        start = partial(self._lives.restart, new_ports=False)
        if wanted and await self._recovery.restart(start, manager.exit_status):
            return
        await end_at_once(manager)
        if wanted:
            attempts = self._recovery.attempts.count
            self._status.enter("dead", f"it was given up after {attempts} attempts to restart it")

    def _close_client(self) -> None:
        if self._lives.client is not None:
            self._lives.client.close()
