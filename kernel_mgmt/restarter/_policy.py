"""When a kernel that has ended is started again, and after what pause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC


@dataclass(frozen=True)
class RestartPolicy:
    """When a kernel that has ended is started again, and after what pause.

    :ivar restart_limit: how many attempts in quick succession are made before the restarter gives up
    :ivar stable_time: how long a kernel lives, in seconds, for the attempts before not to count
    :ivar backoff: the pause before the second attempt, in seconds; it doubles with each further one,
        and up to a half of it is taken off at random. The first attempt is made at once.
    :ivar backoff_limit: the longest pause, in seconds
    :ivar restart_on_exit_0: whether a kernel is started again that ended with exit code 0, as one
        does which its own code or any client has asked to
    """

    restart_limit: int = 5
    stable_time: float = 10.0
    backoff: float = 0.5
    backoff_limit: float = 30.0
    restart_on_exit_0: bool = False

    def wants_restart(self, manager: KernelManagerABC) -> bool:
        """Whether a kernel that has ended is to be started again."""
        status = manager.exit_status
        succeeded = status is not None and status.code == 0
        return not manager.asked_to_end and (self.restart_on_exit_0 or not succeeded)


class Attempts:
    """Counts the attempts in quick succession.

    :param clock: returns seconds
    :param random: returns a number from 0 to 1

    :ivar count: how many there have been
    """

    def __init__(
        self, policy: RestartPolicy, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self.count = 0
        self._policy = policy
        self._clock = clock
        self._random = random
        self._ready_since: float | None = None

    def start_over(self) -> None:
        """Forget the attempts before; the kernel is ready, or soon will be."""
        self.count = 0
        self.kernel_is_ready()

    def kernel_is_ready(self) -> None:
        self._ready_since = self._clock()

    def kernel_has_ended(self) -> None:
        if self._ready_since is not None:
            if self._clock() - self._ready_since >= self._policy.stable_time:
                self.count = 0
            self._ready_since = None

    def next_pause(self) -> float | None:
        """Begin an attempt; return how long to wait before it, or ``None`` if none is left."""
        policy = self._policy
        if self.count >= policy.restart_limit:
            return None
        self.count += 1
        if self.count == 1:
            return 0.0
        # Past some sixty doublings a float would overflow.
        doublings = min(self.count - 2, 60)
        pause: float = min(policy.backoff * 2**doublings, policy.backoff_limit)
        return pause * (1 - self._random() / 2)
