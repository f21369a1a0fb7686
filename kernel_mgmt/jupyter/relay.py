"""A relay: programs reach through it, over plain ZeroMQ, a kernel that is reached otherwise.

::

    async with relayed(connection_info, manager) as reached_by:
        print(json.dumps(reached_by))  # a connection file for programs that use jupyter_client

It needs nothing of Jupyter's.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

import anyio

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import ClientClosedError

from ._relay_front import Front
from ._relay_life import forward

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("Relay", "relayed")

log = logging.getLogger(__name__)

# How often the kernel is asked for its heartbeat (seconds).
_HEARTBEAT = 1.0


class Relay:
    """Five ZeroMQ sockets, and behind them one kernel after the other.

    While there is none, what programs send waits for the next, and no heartbeat is answered.

    ::

        async with Relay() as relay:
            failure = await relay.serve(connection_info, manager)

    :param at: where to listen, with which key, and with which CURVE keys if it has some; ports of
        127.0.0.1 that are free, and a new key, when ``None``
    :param limit: how many bytes of requests may wait for the kernel, and how many of what it has
        published for programs that do not read
    :param silent_most: how long a kernel without a manager may be out of reach before it is taken to
        have ended, in seconds
    :raises ValueError: if ``at`` has a signature scheme that is unknown
    """

    def __init__(
        self,
        at: ConnectionInfo | None = None,
        *,
        limit: int = 1_000_000_000,
        silent_most: float = 10.0,
    ) -> None:
        self._front = Front(at, limit)
        self._limit = limit
        self._silent_most = silent_most

    @property
    def connection_info(self) -> ConnectionInfo:
        """How programs reach the relay; complete as soon as it listens."""
        return self._front.connection_info

    async def __aenter__(self) -> Self:
        """Listen.

        :raises OSError: if it cannot listen where it is to
        """
        self._front.open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._front.close()

    async def serve(
        self,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC | None = None,
        *,
        allow_unsigned: bool = False,
    ) -> Exception:
        """Serve programs with a kernel until it has died, or is out of reach for good.

        What it had sent is handed on; what was asked of it and is not answered is answered with an
        error. That is also done if the call is cancelled.

        :param allow_unsigned: whether a kernel without a key is talked to
        :return: what has ended it
        :raises ValueError: if the connection info lacks something, or names an unknown transport
        """
        client = _client_of(connection_info, manager, allow_unsigned)
        return await self._forward(client)

    @asynccontextmanager
    async def serving(
        self,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC | None = None,
        *,
        allow_unsigned: bool = False,
    ) -> AsyncGenerator[None]:
        """Serve programs with a kernel beside the block, as :meth:`serve` does.

        :raises ValueError: if the connection info lacks something, or names an unknown transport
        """
        client = _client_of(connection_info, manager, allow_unsigned)
        task = BackgroundTask(lambda: self._forward_and_tell(client))
        try:
            yield
        finally:
            task.cancel(ClientClosedError())
            with anyio.CancelScope(shield=True):
                await task.ended()

    async def _forward_and_tell(self, client: KernelClient) -> None:
        try:
            await self._forward(client)
        except Exception:
            log.exception("a relay has failed")

    async def _forward(self, client: KernelClient) -> Exception:
        async with client:
            return await forward(
                self._front, client, limit=self._limit, silent_most=self._silent_most
            )


@asynccontextmanager
async def relayed(
    connection_info: ConnectionInfo,
    manager: KernelManagerABC | None = None,
    *,
    at: ConnectionInfo | None = None,
    allow_unsigned: bool = False,
) -> AsyncGenerator[ConnectionInfo]:
    """Have programs reach a kernel through a relay, as long as the block.

    When the kernel has died, the relay answers no heartbeat any more.

    :param at: where to listen, as :class:`Relay` has it
    :param allow_unsigned: whether a kernel without a key is talked to
    :return: how programs reach it
    :raises OSError: if the relay cannot listen where it is to
    :raises ValueError: if a connection info lacks something, or names an unknown transport
    """
    async with (
        Relay(at) as relay,
        relay.serving(connection_info, manager, allow_unsigned=allow_unsigned),
    ):
        yield relay.connection_info


def _client_of(
    connection_info: ConnectionInfo, manager: KernelManagerABC | None, allow_unsigned: bool
) -> KernelClient:
    return KernelClient(
        connection_info, manager, use_heartbeat=_HEARTBEAT, allow_unsigned=allow_unsigned
    )
