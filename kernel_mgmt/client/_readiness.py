"""Find out whether a kernel answers, and whether what it publishes arrives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakMethod

from kernel_mgmt.exceptions import ClientClosedError, KernelManagementError

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

    from ._connection import Connection, HeldBack
    from ._exchange import Exchange

__all__ = ("answered", "let_go_when_heard")

# How often kernel_info is asked again while no message has come on iopub (seconds).
_ASK_AGAIN = 0.01
_ASK_AGAIN_MOST = 1.0
# How long requests wait for a kernel gone over to which answers and publishes nothing (seconds).
_HOLD_MOST = 5.0


async def answered(
    connection: Connection, ask: Callable[[], Exchange], most: float = inf
) -> Message:
    """Wait for a reply and, for ``most`` seconds after it, for something on iopub.

    :param ask: asks for kernel_info
    :raises KernelManagementError: if the connection fails first
    """
    asked = [ask()]
    try:
        return await _answered(connection, ask, asked, most)
    finally:
        for exchange in asked:
            connection.forget(exchange)


async def let_go_when_heard(
    connection: Connection, held: HeldBack, ask: WeakMethod[Callable[[], Exchange]]
) -> None:
    """Send what is held back when the kernel is heard, or some seconds after it has answered.

    :param ask: asks for kernel_info; held weakly, for the client may be dropped meanwhile
    """

    def ask_if_there() -> Exchange:
        if (method := ask()) is None:
            raise ClientClosedError
        return method()

    with suppress(KernelManagementError):
        await answered(connection, ask_if_there, _HOLD_MOST)
    connection.let_go(held)


async def _answered(
    connection: Connection, ask: Callable[[], Exchange], asked: list[Exchange], most: float
) -> Message:
    until = inf
    pause = _ASK_AGAIN
    while True:
        reply = next((exchange.reply for exchange in asked if exchange.reply), None)
        if reply is not None:
            until = min(until, monotonic() + most)
            if connection.published or monotonic() >= until:
                return reply
        # After a reconnection the connection is well again, and what was asked before has failed.
        failure = connection.failure or asked[-1].failure
        if failure is not None:
            raise failure()
        before = connection.received
        # A request waits for a shell socket that is not there yet; only what was published before
        # the subscription came through is lost, and must be caused again.
        await connection.wait_for_message(None if reply is None else pause)
        if reply is not None and before == connection.received:
            asked.append(ask())
            pause = min(2 * pause, _ASK_AGAIN_MOST)
