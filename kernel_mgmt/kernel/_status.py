"""What a kernel is doing, as far as what it publishes tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

KernelState: TypeAlias = Literal["starting", "idle", "busy", "restarting", "stopping", "dead"]
"""What a kernel is doing; ``dead`` is also one that has not been started."""


class KernelStatus:
    """The state of a kernel; that of one which runs follows its ``status`` messages.

    It knows nobody that it serves, so that a client may hold it.

    :param now: returns the time

    :ivar since: when the state began
    :ivar reason: why it is in this state
    :ivar last_activity: when the kernel has last published something, or has become ready
    :ivar execution_state: what the kernel says of itself; ``None`` before it has
    :ivar watchers: called when the state has changed
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.state: KernelState = "dead"
        self.since = self.last_activity = now()
        self.reason = "it has not been started"
        self.execution_state: str | None = None
        self.watchers: list[Callable[[], None]] = []
        self._now = now
        # The requests that the kernel is busy with, and whether each is in a subshell.
        self._running: dict[str, bool] = {}

    @property
    def runs(self) -> bool:
        """Whether the kernel is ready, and nothing is done about that."""
        return self.state in ("idle", "busy")

    def enter(self, state: KernelState, reason: str) -> None:
        """Take note of a new state."""
        self.state = state
        self.reason = reason
        self.since = self._now()
        for watcher in tuple(self.watchers):
            watcher()

    def begin_life(self) -> None:
        """Forget what the kernel before was doing."""
        self._running.clear()
        self.execution_state = None

    def run(self) -> None:
        """Take note that the kernel is ready."""
        self.last_activity = self._now()
        self.enter("busy" if self._running else "idle", "it is ready")

    def take(self, message: Message) -> None:
        """Take note of what the kernel publishes."""
        self.last_activity = self._now()
        told = message.execution_state
        if not told:
            return
        if told == "busy":
            self._running[message.parent_id] = "subshell_id" in message.parent_header
        elif told == "idle":
            self._finish(message)
        self.execution_state = "busy" if self._running else told
        state: KernelState = "busy" if self._running else "idle"
        if self.runs and state != self.state:
            self.enter(state, "it says so")

    def _finish(self, message: Message) -> None:
        finished = message.parent_id
        if finished not in self._running:
            return
        if message.parent_header.get("msg_type") == "execute_request":
            # A shell runs one at a time: what began before has ended, also if its idle was lost.
            subshell = self._running[finished]
            for running in tuple(self._running):
                if running == finished:
                    break
                if self._running[running] == subshell is False:
                    del self._running[running]
        del self._running[finished]
