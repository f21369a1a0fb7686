"""The open line of a client to its kernel, and what has come by it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from queue import Empty
from typing import TYPE_CHECKING, Any, get_args

import anyio
from anyio.lowlevel import checkpoint

from kernel_mgmt.client import KernelClient
from kernel_mgmt.client._interactive import OutputHook, StdinHook, interact
from kernel_mgmt.exceptions import KernelDiedError, KernelManagementError
from kernel_mgmt.types import Channel

from ._mailbox import Mailbox
from ._messages import as_dict, as_parts

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import Request
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import ConnectionInfo, JSONDict

    from ._session import Session

__all__ = ("CHANNELS", "Line")

CHANNELS: tuple[Channel, ...] = get_args(Channel)

_HEARTBEAT = 1.0
# How long a line may take to hear the next kernel, which is ready (seconds).
_SETTLE_MOST = 5.0


class Line:
    """Connects to a kernel, and keeps what comes for those who fetch it.

    It belongs to the event loop that it is opened in.

    :param output_limit: how many bytes may wait on each channel
    """

    def __init__(self, output_limit: int) -> None:
        self.mailboxes: dict[Channel, Mailbox] = {
            channel: Mailbox(output_limit) for channel in CHANNELS
        }
        self.was_open = False
        self.heartbeat_is_paused = False
        self._client: KernelClient | None = None
        self._sorter = _Sorter(self.mailboxes, "")

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, to a kernel that may have died."""
        return self._client is not None

    @property
    def client(self) -> KernelClient:
        """The client that the line goes through.

        :raises RuntimeError: if the line is not open
        """
        if self._client is None:
            raise RuntimeError("The channels do not run; call start_channels() first")
        return self._client

    def open(
        self,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC | None,
        session: Session,
        *,
        heartbeat: bool,
    ) -> None:
        """Connect, if an event loop runs already, or else at the first use in one.

        :raises ValueError: if the connection info lacks something
        """
        self._client = KernelClient(
            connection_info,
            manager,
            session=session.session,
            username=session.username,
            use_heartbeat=_HEARTBEAT if heartbeat else None,
        )
        self.was_open = True
        # The handlers must not hold the line: a client that nobody holds is to be collected.
        self._sorter = _Sorter(self.mailboxes, session.session)
        self._client.add_handler(self._sorter.put, set(CHANNELS) - {"hb"})
        self._client.add_change_handler(self._sorter.notify)
        try:
            self._client.connect()
        except RuntimeError:  # no event loop runs yet
            return

    def follow(self, connection_info: ConnectionInfo, manager: KernelManagerABC | None) -> None:
        """Go over to another kernel, soon; any thread may call it. What waits to be fetched stays."""
        if self._client is not None:
            self._client.reconnect_soon(connection_info, manager)

    async def settle(self) -> None:
        """Wait until what the kernel publishes arrives, if the line is open in this event loop."""
        if self._client is not None:
            with suppress(RuntimeError, KernelManagementError), anyio.move_on_after(_SETTLE_MOST):
                await self._client.wait_for_ready()

    def start(self, channels: Iterable[Channel]) -> None:
        """Keep what comes by some channels."""
        for channel in channels:
            self.mailboxes[channel].is_open = True

    def stop(self, channels: Iterable[Channel]) -> None:
        """Keep no more of what comes by some channels; the last one closes the connection."""
        for channel in channels:
            self.mailboxes[channel].is_open = False
            self.mailboxes[channel].clear()
        if self._client is not None and not self.runs():
            self._client.close()
            self._client = None
            self._sorter.notify()

    def runs(self, channels: Iterable[Channel] = CHANNELS) -> bool:
        """Whether any of some channels runs."""
        return any(self.mailboxes[channel].is_open for channel in channels)

    def send(self, ask: Callable[[KernelClient], Request]) -> Request:
        """Send a request."""
        request = ask(self.client)
        if request.msg_type == "kernel_info_request":
            self._sorter.asked_for_info.append(request.msg_id)
        return request

    def send_message(self, channel: Channel, message: Mapping[str, Any]) -> None:
        """Send a message that is given as a dict.

        :raises KernelDiedError: if the kernel has died
        """
        self.client.send(channel, as_parts(message))
        if message["header"]["msg_type"] == "kernel_info_request":
            self._sorter.asked_for_info.append(message["header"]["msg_id"])

    async def get(self, channel: Channel, timeout: float | None = None) -> JSONDict:
        """Fetch the next message of a channel.

        :param timeout: in seconds
        :raises queue.Empty: if none comes in time
        :raises KernelDiedError: if none can come any more, and there is no time limit
        :raises OutputOverflowError: once, if more came than may wait
        """
        mailbox = self.mailboxes[channel]
        await checkpoint()
        if timeout is not None and timeout <= 0:
            # What has arrived is read one turn of the event loop later.
            await checkpoint()
        with anyio.move_on_after(timeout):
            return as_dict(await mailbox.get(lambda: self._check(channel, timeout)))
        raise Empty

    async def reply(self, request: Request, channel: Channel, timeout: float | None) -> JSONDict:
        """Wait for the reply to a request, which is not fetched from the channel then.

        :raises TimeoutError: if it does not come in time; then it may still be fetched
        :raises KernelDiedError: if the kernel dies first
        """
        mailbox = self.mailboxes[channel]
        with mailbox.claim(request.msg_id):
            with anyio.move_on_after(timeout):
                message = await request.reply()
                mailbox.remove(message)
                return as_dict(message)
            raise TimeoutError(f"There was no reply to the {request.msg_type} within {timeout} s")

    async def interact(
        self,
        ask: Callable[[KernelClient], Request],
        output_hook: OutputHook | None,
        stdin_hook: StdinHook | None,
        timeout: float | None,
    ) -> JSONDict:
        """Show what a request publishes, answer what it asks, and return the reply.

        :raises TimeoutError: if it takes too long; what comes then may be fetched
        :raises KernelDiedError: if the kernel dies first
        """
        request = self.send(ask)
        with ExitStack() as stack:
            stack.enter_context(self.mailboxes["shell"].claim(request.msg_id))
            stack.enter_context(self.mailboxes["iopub"].ignore(request.msg_id))
            stack.enter_context(self.mailboxes["stdin"].ignore(request.msg_id))
            with anyio.move_on_after(timeout):
                return as_dict(await interact(self.client, request, output_hook, stdin_hook))
            raise TimeoutError(f"The code was not done within {timeout} s, and goes on")

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel has answered, and let go of what was published for others.

        What answers the requests of this line may still be fetched.

        :raises RuntimeError: if the kernel dies first, or does not answer in time
        """
        try:
            await self.client.wait_for_ready(timeout)
        except TimeoutError as error:
            raise RuntimeError(f"The kernel did not answer within {timeout} s") from error
        except KernelManagementError as error:
            raise RuntimeError(f"The kernel did not become ready: {error}") from error
        self.mailboxes["iopub"].keep(self._sorter.is_own)

    @property
    def is_beating(self) -> bool:
        """Whether the heartbeat runs, is not paused, and the kernel answers as far as is known."""
        if self._client is None or not self.runs(["hb"]) or self.heartbeat_is_paused:
            return False
        return self._client.failure is None and self._client.is_beating is not False

    def _check(self, channel: Channel, timeout: float | None) -> None:
        failure = self.client.failure
        if failure is not None and (timeout is None or not isinstance(failure, KernelDiedError)):
            raise failure
        self.start([channel])


class _Sorter:
    """Puts what arrives into the mailboxes, but for what belongs to the start and to readiness."""

    def __init__(self, mailboxes: dict[Channel, Mailbox], session: str) -> None:
        self.asked_for_info: deque[str] = deque(maxlen=1000)
        self._mailboxes = mailboxes
        self._session = session
        self._answered = False

    def put(self, message: Message) -> None:
        if self._is_about_readiness(message) or self._is_about_the_start(message):
            return
        self._answered = self._answered or self.is_own(message)
        self._mailboxes[message.channel].put(message)

    def notify(self) -> None:
        for mailbox in self._mailboxes.values():
            mailbox.notify()

    def is_own(self, message: Message) -> bool:
        return message.parent_header.get("session") == self._session

    def _is_about_readiness(self, message: Message) -> bool:
        return (
            message.msg_type in ("status", "kernel_info_reply")
            and message.parent_header.get("msg_type") == "kernel_info_request"
            and self.is_own(message)
            and message.parent_id not in self.asked_for_info
        )

    def _is_about_the_start(self, message: Message) -> bool:
        # The answer to a subscription (JEP 65), and what a kernel publishes first: both may come late.
        return message.msg_type == "iopub_welcome" or (
            not self._answered and not message.parent_id and message.execution_state == "starting"
        )
