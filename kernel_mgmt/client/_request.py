"""A request that was sent to a kernel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from ._outputs import OutputFolder

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

    from ._connection import Connection
    from ._exchange import Exchange

    _Waiters = list[Callable[[], None]]

__all__ = ("PATIENT", "Patience", "Request")

# How long iopub may be quiet, in seconds, after a reply whose idle has not come.
_IDLE_GRACE = 4.0
# The same, if nothing at all came for the request: what is published before the subscription has come
# through is lost, and so is the idle of a request that a new client sends at once.
_UNHEARD_GRACE = 1.0


@dataclass(frozen=True)
class Patience:
    """How long those who wait for a request do so.

    :ivar interrupt: interrupts the kernel
    :ivar interrupt_timeout: how long after the sending it is interrupted, in seconds
    :ivar idle_timeout: how long idle is waited for after the reply, in seconds; when ``None``, until
        nothing has been published for some time
    :ivar raise_on_no_idle: whether that is then an error
    """

    interrupt: Callable[[], Awaitable[object]] | None = None
    interrupt_timeout: float | None = None
    idle_timeout: float | None = None
    raise_on_no_idle: bool = False


PATIENT = Patience()


class Request:
    """A request that has been sent.

    ``await request`` returns the reply; a request may be awaited by several tasks, again, or by
    none. ``async for message in request`` yields what the kernel publishes for it on iopub, each
    message once, and ends at the kernel's ``idle``. A task that is cancelled while it waits takes
    nothing from anybody else.

    Both raise :exc:`KernelDiedError` if the kernel dies first, and :exc:`ClientClosedError` if the
    client is closed first. Iterating raises :exc:`OutputOverflowError` if more was published than
    the client may keep.
    """

    def __init__(
        self,
        client: object,
        connection: Connection,
        msg_type: str,
        exchange: Exchange,
        patience: Patience = PATIENT,
    ) -> None:
        # A client that nobody else holds stays open as long as its request is held.
        self._client = client
        self._connection = connection
        self._exchange = exchange
        self._patience = patience
        self._interrupt_at = (
            None if patience.interrupt_timeout is None else monotonic() + patience.interrupt_timeout
        )
        self.msg_type = msg_type

    def __del__(self) -> None:
        self._connection.release(self._exchange)

    def __await__(self) -> Generator[Any, None, Message]:
        return self._reply().__await__()

    def __aiter__(self) -> Request:
        return self

    async def __anext__(self) -> Message:
        exchange = self._exchange
        while (message := exchange.next_published()) is None:
            if exchange.idle:
                raise StopAsyncIteration
            if exchange.failure is not None:
                raise exchange.failure()
            await self._wait(exchange.readers)
        return message

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
        """Whether something that the kernel published may be missing.

        That is so where it replied and was then not heard to be idle, and where more was published
        than the client may keep.
        """
        return self._exchange.incomplete or self._exchange.overflowed

    async def reply(self) -> Message:
        """Wait for the reply alone; what was published may not all have arrived by then."""
        exchange = self._exchange
        while exchange.reply is None:
            if exchange.failure is not None:
                raise exchange.failure()
            await self._wait_for_reply(exchange.waiters)
        return exchange.reply

    def with_stdin(self) -> Request:
        """Let iterating yield each ``input_request`` as well, in its place among the outputs.

        :return: the request
        """
        self._exchange.with_stdin = True
        return self

    async def outputs(self) -> list[JSONDict]:
        """Wait for idle, and return what was published as the outputs of a notebook cell.

        Text of one stream is joined, updated displays are shown updated, and cleared outputs are
        gone. What has been iterated over before is not among them.

        :return: outputs in the shapes of nbformat v4
        """
        folder = OutputFolder()
        async for message in self:
            folder.add(message)
        return folder.outputs

    async def _reply(self) -> Message:
        exchange = self._exchange
        while not exchange.done:
            if exchange.failure is not None:
                raise exchange.failure()
            await self._wait(exchange.waiters)
        assert exchange.reply is not None
        return exchange.reply

    async def _wait(self, waiters: _Waiters) -> None:
        """Wait for news, as long as the patience lasts."""
        if self._exchange.reply is None:
            await self._wait_for_reply(waiters)
        else:
            await self._wait_for_idle(waiters)

    async def _wait_for_reply(self, waiters: _Waiters) -> None:
        interrupt_at = self._interrupt_at
        if interrupt_at is None:
            await self._connection.wait(waiters)
            return
        news = await self._connection.wait(waiters, max(0, interrupt_at - monotonic()))
        # Of several that wait, the first to find that it is time interrupts.
        if not news and self._interrupt_at == interrupt_at and self._patience.interrupt is not None:
            self._interrupt_at = None
            await self._patience.interrupt()

    async def _wait_for_idle(self, waiters: _Waiters) -> None:
        exchange, connection, patience = self._exchange, self._connection, self._patience
        grace = patience.idle_timeout
        if grace is None:
            grace = _IDLE_GRACE if exchange.heard else _UNHEARD_GRACE
        before = connection.published
        news = await connection.wait(waiters, grace)
        quiet = patience.idle_timeout is not None or before == connection.published
        if news or exchange.idle or not quiet:
            return
        if patience.raise_on_no_idle:
            raise TimeoutError(f"the kernel replied, and was not idle within {grace:g} s")
        connection.forget(exchange)
        exchange.give_up()
