"""A request that was sent to a kernel."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

    from ._connection import Connection
    from ._exchange import Exchange

__all__ = ("Request",)

# How long iopub may be quiet, in seconds, after a reply whose idle has not come.
_IDLE_GRACE = 4.0


class Request:
    """A request that has been sent.

    ``await request`` returns the reply; a request may be awaited by several tasks, again, or by
    none. ``async for message in request`` yields what the kernel publishes for it on iopub, each
    message once, and ends at the kernel's ``idle``. A task that is cancelled while it waits takes
    nothing from anybody else.

    Both raise :exc:`KernelDiedError` if the kernel dies first, and :exc:`ClientClosedError` if the
    client is closed first.
    """

    def __init__(
        self, client: object, connection: Connection, msg_type: str, exchange: Exchange
    ) -> None:
        # A client that nobody else holds stays open as long as its request is held.
        self._client = client
        self._connection = connection
        self._exchange = exchange
        self.msg_type = msg_type

    def __await__(self) -> Generator[Any, None, Message]:
        return self._reply().__await__()

    def __aiter__(self) -> Request:
        return self

    async def __anext__(self) -> Message:
        exchange = self._exchange
        while not exchange.published:
            if exchange.idle:
                raise StopAsyncIteration
            if exchange.failure is not None:
                raise exchange.failure()
            await self._wait()
        return exchange.published.popleft()

    def __repr__(self) -> str:
        failed = self._exchange.failure is not None
        state = "failed" if failed else "done" if self._exchange.done else "pending"
        return f"<Request {self.msg_type!r} {self.msg_id}: {state}>"

    @property
    def msg_id(self) -> str:
        """The id of the request message."""
        return self._exchange.msg_id

    @property
    def incomplete(self) -> bool:
        """Whether the kernel replied and was never heard to be idle.

        Something that it published may then be missing.
        """
        return self._exchange.incomplete

    async def _reply(self) -> Message:
        exchange = self._exchange
        while not exchange.done:
            if exchange.failure is not None:
                raise exchange.failure()
            await self._wait()
        assert exchange.reply is not None
        return exchange.reply

    async def _wait(self) -> None:
        """Wait for news; give up where the kernel has replied, is not heard to be idle, and quiet."""
        exchange, connection = self._exchange, self._connection
        if exchange.reply is None:
            await connection.wait(exchange.waiters)
            return
        before = connection.published
        news = await connection.wait(exchange.waiters, _IDLE_GRACE)
        if not news and before == connection.published and not exchange.idle:
            connection.forget(exchange)
            exchange.give_up()
