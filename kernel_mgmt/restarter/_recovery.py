"""The way from the end of a kernel to the next one, or to giving up."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ._events import RestartedEvent, RestartEvents
from ._policy import Attempts, RestartPolicy

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ExitStatus

    from ._plan import Started

log = logging.getLogger(__name__)


class Recovery:
    """Tells of the end of a kernel, and has it started again as often as the policy allows.

    :param clock: returns seconds
    :param random: returns a number from 0 to 1
    :param sleep: sleeps for some seconds
    """

    def __init__(
        self,
        kernel_id: str,
        policy: RestartPolicy,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self.policy = policy
        self.events = RestartEvents()
        self.attempts = Attempts(policy, clock, random)
        self._kernel_id = kernel_id
        self._sleep = sleep

    def tell_of_the_end(self, manager: KernelManagerABC, *, restarting: bool) -> None:
        """Tell that a kernel has ended."""
        self.attempts.kernel_has_ended()
        self.events.fire(
            {
                "event": "died",
                "kernel_id": self._kernel_id,
                "restart_count": self.attempts.count,
                "exit_status": manager.exit_status,
                "manager": manager,
                "restarting": restarting,
            }
        )

    async def restart(
        self, start: Callable[[], Awaitable[Started]], exit_status: ExitStatus | None
    ) -> bool:
        """Start the kernel again, once or several times, until it is ready or no attempt is left.

        :param start: ends what there is of the kernel, starts another, and waits until it is ready
        :param exit_status: how the one before ended
        :return: whether it is ready
        """
        error: Exception | None = None
        while (pause := self.attempts.next_pause()) is not None:
            if pause:
                await self._sleep(pause)
            try:
                started = await start()
            except Exception as failure:
                error = failure
                exit_status = getattr(failure, "exit_status", None)
                log.warning("the kernel %s was not restarted", self._kernel_id, exc_info=True)
            else:
                self.attempts.kernel_is_ready()
                self.tell_of_the_restart(started, auto=True)
                return True
        self._tell_of_the_failure(exit_status, error)
        return False

    def tell_of_the_restart(self, started: Started, *, auto: bool) -> RestartedEvent:
        """Tell that a kernel was started in the place of another; return what is told."""
        event: RestartedEvent = {
            "event": "restarted",
            "kernel_id": self._kernel_id,
            "restart_count": self.attempts.count,
            "connection_info": started.client.connection_info,
            "manager": started.manager,
            "auto": auto,
            "new_ports": not started.same_ports,
        }
        self.events.fire(event)
        return event

    def _tell_of_the_failure(self, status: ExitStatus | None, error: Exception | None) -> None:
        log.warning(
            "the kernel %s is restarted no more, after %d attempts",
            self._kernel_id,
            self.attempts.count,
        )
        self.events.fire(
            {
                "event": "failed",
                "kernel_id": self._kernel_id,
                "restart_count": self.attempts.count,
                "exit_status": status,
                "error": error,
            }
        )
