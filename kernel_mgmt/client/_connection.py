"""What lives as long as a client is open: the transport, the pending requests and the handlers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakSet

from kernel_mgmt._backend import EventLoop, current_event_loop
from kernel_mgmt.exceptions import ClientClosedError, KernelDiedError
from kernel_mgmt.messages import Message

from ._backlog import Backlog
from ._exchange import Exchange
from ._protocol4 import Protocol4, speaks_protocol_4

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, KernelManagerABC, TransportABC
    from kernel_mgmt.types import Channel


Handler: TypeAlias = Callable[[Message], object]
HeldBack: TypeAlias = "list[Sequence[Buffer]]"

log = logging.getLogger(__name__)

# After the death of a kernel, what it had sent is still read: until it has been quiet for so long,
# and for so long at most (seconds).
_QUIET = 0.05
_QUIET_MOST = 2.0
# The states of a kernel that has died, as the server tells that had started it.
_DEATHS = ("restarting", "autorestarting", "dead")
# So many beats in a row may stay unanswered.
_BEATS_MISSED = 3


class Connection:
    """Routes what arrives to the request it answers, and fails what can no longer be answered.

    It does not know the client, so that a client which nobody holds any more can be collected.
    """

    def __init__(
        self,
        transport: TransportABC,
        manager: KernelManagerABC | None,
        *,
        output_limit: int,
        heartbeat: float | None = None,
    ) -> None:
        self.backlog = Backlog(output_limit)
        self.protocol4: Protocol4 | None = None
        self.published = 0
        self.received = 0
        self.failure: Callable[[], Exception] | None = None
        self._transport = transport
        self._manager = manager
        self._loop: EventLoop | None = None
        self._dead = False
        self._held: HeldBack | None = None
        self._heartbeat = heartbeat
        self._last_beat = 0.0
        self._malformed = 0
        self._pending: dict[str, Exchange] = {}
        self._nearly_done: set[str] = set()
        self._collecting: WeakSet[Exchange] = WeakSet()
        self._handlers: list[tuple[Handler, frozenset[Channel]]] = []
        self._change_handlers: list[Callable[[], object]] = []
        self._watchers: list[Callable[[], None]] = []

    @property
    def is_open(self) -> bool:
        """Whether it holds sockets."""
        return self._loop is not None and self.failure is None

    @property
    def dropped(self) -> int:
        """How much came from this kernel that was no good message."""
        return self._transport.dropped + self._malformed

    @property
    def connected(self) -> bool:
        """Whether the kernel can reach the client on every channel."""
        return self._transport.connected

    @property
    def is_beating(self) -> bool:
        """Whether the heartbeat was answered of late, or has not been due for long."""
        beats = 0 if self._heartbeat is None else self._heartbeat * _BEATS_MISSED
        return self.failure is None and monotonic() - self._last_beat <= beats

    def open(self) -> None:
        """Bind to the running event loop, at first use; later only make sure that it is the same.

        :raises RuntimeError: if the caller runs in another event loop or thread
        """
        if self._loop is not None:
            self._loop.check()
            return
        self._loop = current_event_loop()
        if self.failure is None:
            self._open_transport()

    def send(
        self,
        exchange: Exchange,
        channel: Channel,
        parts: Sequence[Buffer],
        *,
        ahead: bool = False,
    ) -> None:
        """Send a request; where that cannot be, the request fails.

        :param ahead: whether it goes ahead of those that are held back
        """
        self.open()
        if self.failure is not None:
            (exchange.die if self._dead else exchange.fail)(self.failure)
            return
        self._pending[exchange.msg_id] = exchange
        if exchange.collect:
            self._collecting.add(exchange)
        self._pace()
        try:
            self._transmit(channel, parts, ahead=ahead)
        except BaseException:
            self.forget(exchange)
            raise

    def send_only(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        """Send a message that gets no reply.

        :raises KernelDiedError: if the kernel has died
        :raises ClientClosedError: if the client is closed
        """
        self.open()
        if self.failure is not None:
            raise self.failure()
        self._transmit(channel, parts)

    def hold_back(self) -> HeldBack:
        """Send nothing on shell until something has come on iopub, or :meth:`let_go` is called.

        :return: what is held back from now on
        """
        held: HeldBack = []
        self._held = held
        return held

    def let_go(self, held: HeldBack) -> None:
        """Send what is held back; nothing happens if it is not any more."""
        if held is self._held and self.failure is None:
            self._held = None
            for parts in held:
                self._transport.send("shell", parts)

    def reconnect(self, transport: TransportABC, manager: KernelManagerABC | None) -> None:
        """Go over to another kernel; what was asked of the one before fails.

        :raises ClientClosedError: if the client is closed
        :raises RuntimeError: if the caller runs in another event loop or thread
        """
        if self._loop is not None:
            self._loop.check()
        status = None if self._manager is None else self._manager.exit_status
        self._end(partial(KernelDiedError, status), dead=True)
        assert self.failure is not None
        if isinstance(self.failure(), ClientClosedError):
            raise ClientClosedError
        self._transport = transport
        self._manager = manager
        self._dead = False
        self.failure = self.protocol4 = self._held = None
        self.published = self.received = self._malformed = 0
        if self._loop is not None:
            self._open_transport()
        self._call_change_handlers()

    def is_pending(self, msg_id: str) -> bool:
        """Whether a request waits to be answered."""
        return msg_id in self._pending

    def forget(self, exchange: Exchange) -> None:
        """Route nothing more to a request."""
        self._pending.pop(exchange.msg_id, None)
        self._nearly_done.discard(exchange.msg_id)
        self._pace()

    def release(self, exchange: Exchange) -> None:
        """Keep no more for a request that nobody holds; any thread may call it."""
        exchange.collect = False
        # Code that still runs may ask for input, and is known by its request then.
        if exchange.reply is not None or not exchange.until_idle:
            self.forget(exchange)

    async def wait(self, waiters: list[Callable[[], None]], timeout: float | None = None) -> bool:
        """Wait until what is put into ``waiters`` is called, at most ``timeout`` seconds."""
        self.open()
        assert self._loop is not None
        return await self._loop.wait(waiters, timeout)

    async def wait_for_message(self, timeout: float | None = None) -> None:
        """Wait until anything arrives, or the connection fails, at most ``timeout`` seconds."""
        await self.wait(self._watchers, timeout)

    def handles(self, channel: Channel) -> bool:
        """Whether there is a handler for a channel."""
        return any(channel in channels for _, channels in self._handlers)

    def add_handler(self, handler: Handler, channels: frozenset[Channel]) -> None:
        for index, (known, before) in enumerate(self._handlers):
            if known == handler:
                self._handlers[index] = (known, before | channels)
                return
        self._handlers = [*self._handlers, (handler, channels)]

    def remove_handler(self, handler: Handler, channels: frozenset[Channel]) -> None:
        kept = [(f, before - channels if f == handler else before) for f, before in self._handlers]
        self._handlers = [(f, left) for f, left in kept if left]

    def add_change_handler(self, handler: Callable[[], object]) -> None:
        self._change_handlers.append(handler)

    def close(self) -> None:
        """Close at once; what is pending fails. Calling it again does nothing.

        :raises RuntimeError: if the caller runs in another thread than the event loop
        """
        if self._loop is not None and self.failure is None:
            self._loop.check_thread()
        self._close()

    def close_from_anywhere(self) -> None:
        """Close at once, on the demand of any thread."""
        self.call_from_anywhere(self._close)

    def call_from_anywhere(self, callback: Callable[[], object]) -> None:
        """Call back from the event loop: at once if this is it or there is none, or else soon."""
        if self._loop is None or self._loop.is_running_here:
            callback()
        else:
            self._loop.call_from_anywhere(callback)

    def _close(self) -> None:
        self._end(ClientClosedError, dead=False)

    def _transport_ended(self) -> None:
        failure = self._transport.failure or ClientClosedError
        self._end(failure, dead=isinstance(failure(), KernelDiedError))

    def _end(self, failure: Callable[[], Exception], *, dead: bool) -> None:
        if self.failure is not None:
            return
        self.failure = failure
        self._dead = dead
        # A forked child shares descriptors and selector with its parent, and takes nothing of them.
        if self._loop is None or not self._loop.is_inherited:
            (self._transport.abort if dead else self._transport.close)()
        pending, self._pending = self._pending, {}
        self._nearly_done.clear()
        for exchange in pending.values():
            (exchange.die if dead else exchange.fail)(failure)
        self._tell_watchers()
        self._call_change_handlers()

    def _take_death(self, state: str) -> None:
        """Fail what is pending when a server tells that it had to start the kernel again, or cannot.

        The kernel that answers next has never seen it.
        """
        failure = partial(KernelDiedError, None)
        if state == "dead":
            self._end(failure, dead=True)
            return
        self._transport.discard()
        if self._held is not None:
            self._held.clear()
        for exchange in tuple(self._pending.values()):
            self.forget(exchange)
            exchange.die(failure)
        self._call_change_handlers()

    def _take_undelivered(self, parts: Sequence[Buffer], failure: Callable[[], Exception]) -> None:
        exchange = self._pending.get(Message("shell", parts).msg_id)
        if exchange is None:
            log.warning("a message to which there is no reply may be lost: %s", failure())
        else:
            self.forget(exchange)
            exchange.fail(failure)
        self._tell_watchers()

    def _transmit(self, channel: Channel, parts: Sequence[Buffer], *, ahead: bool = False) -> None:
        if self._held is None or ahead or channel != "shell":
            self._transport.send(channel, parts)
        else:
            self._held.append(parts)

    def _open_transport(self) -> None:
        self._last_beat = monotonic()
        self._transport.undelivered = self._take_undelivered
        watch = partial(self._watch, self._transport, self._manager)
        self._transport.open(self._receive, self._transport_ended, watch)

    async def _watch(self, transport: TransportABC, manager: KernelManagerABC | None) -> None:
        if self._heartbeat is None:
            await self._watch_for_death(transport, manager)
            return
        from anyio import create_task_group

        async with create_task_group() as tasks:
            tasks.start_soon(self._beat, transport, self._heartbeat)
            await self._watch_for_death(transport, manager)

    async def _beat(self, transport: TransportABC, interval: float) -> None:
        assert self._loop is not None
        while transport is self._transport and self.failure is None:
            transport.send("hb", [b"ping"])
            # The clients of a process beat together, so that it is woken once for all of them.
            await self._loop.wait([], interval - monotonic() % interval)

    async def _watch_for_death(
        self, transport: TransportABC, manager: KernelManagerABC | None
    ) -> None:
        """Wait for the death of the kernel, read what it had sent, and fail what is pending."""
        if manager is None:
            return
        try:
            await manager.wait()
        except Exception:
            log.exception("the manager of a kernel cannot be waited for")
            return
        await self._quiet()
        if transport is self._transport:
            self._end(partial(KernelDiedError, manager.exit_status), dead=True)

    async def _quiet(self) -> None:
        assert self._loop is not None
        for _ in range(int(_QUIET_MOST / _QUIET)):
            before = self.received
            await self._loop.wait([], _QUIET)
            if before == self.received:
                return

    def _receive(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        if channel == "hb":
            self._last_beat = monotonic()
            return
        self.received += 1
        try:
            message = self._read(channel, parts)
        except (ValueError, RecursionError) as error:
            self._malformed += 1
            if self._malformed == 1:
                log.warning(
                    "dropped what came on %s: %s (further ones are counted)", channel, error
                )
            return
        exchange = self._pending.get(message.parent_id)
        if channel == "iopub":
            self.published += 1
            if self._held is not None:
                self.let_go(self._held)
            if exchange is not None:
                exchange.take_published(message)
                if self.backlog.held > self.backlog.limit:
                    self._overflow()
            elif not message.parent_id and (state := message.execution_state) in _DEATHS:
                self._take_death(state)
        elif exchange is not None:
            take = exchange.take_asked if channel == "stdin" else exchange.take_reply
            take(message)
        if exchange is not None and exchange.reply is not None:
            self._is_nearly_done(exchange)
        if self._handlers:
            self._call_handlers(channel, message)
        if self._watchers:
            self._tell_watchers()

    def _is_nearly_done(self, exchange: Exchange) -> None:
        if exchange.idle:
            self.forget(exchange)
        else:
            self._nearly_done.add(exchange.msg_id)
            self._pace()

    def _pace(self) -> None:
        """Let a flood gather, unless a request only waits for its idle, or nothing is asked."""
        self._transport.gather(bool(self._pending) and not self._nearly_done)

    def _read(self, channel: Channel, parts: Sequence[Buffer]) -> Message:
        message = Message(channel, parts)
        if self.protocol4 is None:
            if message.msg_type != "kernel_info_reply" or not speaks_protocol_4(message):
                return message
            self.protocol4 = Protocol4()
        return self.protocol4.received(message)

    def _overflow(self) -> None:
        """Let the request that holds most know that it holds too much; the others go on."""
        # One that collects nothing may hold a question.
        holders = [*self._collecting, *self._pending.values()]
        max(holders, key=lambda exchange: exchange.held).overflow()

    def _call_handlers(self, channel: Channel, message: Message) -> None:
        for handler, channels in self._handlers:
            if channel in channels:
                try:
                    handler(message)
                except Exception:
                    log.exception("a handler of %s messages failed", channel)

    def _call_change_handlers(self) -> None:
        for handler in tuple(self._change_handlers):
            try:
                handler()
            except Exception:
                log.exception("a handler of the changes of a connection failed")

    def _tell_watchers(self) -> None:
        for watcher in tuple(self._watchers):
            watcher()
