"""Learn of the end of a kernel, whatever its manager can do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC

log = logging.getLogger(__name__)


async def wait_for_the_end(
    manager: KernelManagerABC, time_to_dead: float, sleep: Callable[[float], Awaitable[object]]
) -> None:
    """Wait until a kernel has ended.

    :param time_to_dead: how often to look, in seconds, where the manager cannot be waited for
    """
    try:
        await manager.wait()
    except NotImplementedError:
        pass
    except Exception:
        log.exception("the kernel %s cannot be waited for", manager.kernel_id)
    else:
        return
    while await seems_alive(manager):
        await sleep(time_to_dead)


async def seems_alive(manager: KernelManagerABC) -> bool:
    """Whether a kernel runs; so it does as long as that cannot be told."""
    try:
        return await manager.is_alive()
    except Exception:
        log.exception("whether the kernel %s runs cannot be told", manager.kernel_id)
        return True
