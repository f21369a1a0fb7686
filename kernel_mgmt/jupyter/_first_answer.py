"""Tell the manager of a kernel of its first answer, where no client of ours does."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, cast

import anyio
import zmq

from kernel_mgmt import _portal
from kernel_mgmt.restarter._watch import wait_for_the_end
from kernel_mgmt.transports.zmq import connect_socket

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("start_telling", "tell_of_the_first_answer")

log = logging.getLogger(__name__)

# How often to look whether a kernel runs that cannot be waited for (seconds).
_TIME_TO_DEAD = 3.0


def start_telling(connection_info: ConnectionInfo, manager: KernelManagerABC) -> Future[None]:
    """Begin to wait for a kernel in the event-loop thread of the process, and return at once.

    :return: done when the manager has been told, or the kernel has ended
    :raises RuntimeError: if the interpreter is about to exit
    """
    return _portal.start(partial(tell_of_the_first_answer, connection_info, manager))


async def tell_of_the_first_answer(
    connection_info: ConnectionInfo, manager: KernelManagerABC
) -> None:
    """Wait until a kernel answers on its heartbeat, and tell its manager; or until it has ended.

    Nothing is asked of the kernel that others would hear of.
    """
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_at_the_end, manager, tasks.cancel_scope)
            await _wait_for_heartbeat(connection_info)
            await manager.kernel_ready()
            tasks.cancel_scope.cancel()
    except Exception:
        log.exception("The manager of the kernel %s was not told of its answer", manager.kernel_id)


async def _cancel_at_the_end(manager: KernelManagerABC, scope: anyio.CancelScope) -> None:
    await wait_for_the_end(manager, _TIME_TO_DEAD, anyio.sleep)
    scope.cancel()


async def _wait_for_heartbeat(connection_info: ConnectionInfo) -> None:
    with connect_socket(connection_info, "hb") as socket:
        descriptor = cast(int, socket.get(zmq.FD))
        socket.send(b"ping", zmq.NOBLOCK)
        # The descriptor tells only that something has changed, and only once.
        while not cast(int, socket.get(zmq.EVENTS)) & zmq.POLLIN:
            await anyio.wait_readable(descriptor)
