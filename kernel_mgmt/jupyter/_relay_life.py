"""What a relay does for one kernel, from its first answer to its end."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.exceptions import KernelDiedError, KernelManagementError
from kernel_mgmt.messages import MessageFactory

from ._relay_routes import Asked, Routes

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

    from ._relay_front import Front

__all__ = ("Life", "forward")

log = logging.getLogger(__name__)

# How often a question is repeated to a program that is not connected on stdin yet, and how often to
# look whether a kernel without a manager can be reached (seconds).
_REPEAT = 0.02
_LOOK_AGAIN = 0.5


class RelayOverflowError(KernelManagementError):
    """Raised when more is asked of a kernel than may wait for it."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"More than {limit:,} bytes of requests wait for the kernel, and this one was not sent; "
            "send it again when the kernel has answered some of them"
        )


class RelayEndedError(KernelManagementError):
    """Raised when the relay ends before the kernel has answered."""

    def __init__(self) -> None:
        super().__init__("The relay has ended through which this program reached the kernel")


async def forward(
    front: Front, client: KernelClient, *, limit: int, silent_most: float
) -> Exception:
    """Serve programs with a kernel until its end, and fail then what they still wait for.

    :param client: a client of the kernel, which nobody has used yet
    :param limit: how many bytes of requests may wait for the kernel
    :param silent_most: how long a kernel that has no manager may be out of reach before it is taken
        to have ended, in seconds
    :return: what has ended it
    """
    life = Life(front, client, limit)
    failure: Exception = RelayEndedError()
    try:
        client.connect()
        front.serve(life)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(life.get_ready)
            tasks.start_soon(life.repeat_questions)
            with anyio.CancelScope() as scope:
                if not client.owned_kernel:
                    tasks.start_soon(_end_when_silent, client, silent_most, scope)
                await life.until_end()
            failure = client.failure or KernelDiedError()
            tasks.cancel_scope.cancel()
    finally:
        front.serve(None)
        life.fail(failure)
    return failure


class Life:
    """Hands on what programs ask of a kernel, and what it answers and publishes."""

    def __init__(self, front: Front, client: KernelClient, limit: int) -> None:
        self._has_failed = anyio.Event()
        self._front = front
        self._client = client
        self._limit = limit
        self._routes = Routes()
        self._factory = MessageFactory(username="kernel")
        self._questions: list[tuple[Asked, Message]] = []
        self._has_questions = anyio.Event()
        client.add_handler(self._take_published)
        client.add_handler(self._take_answer, ("shell", "control", "stdin"))
        client.add_change_handler(self._change)

    @property
    def is_reachable(self) -> bool:
        """Whether the kernel lives and can be reached; a busy one may miss beats, but is connected."""
        client = self._client
        return client.failure is None and bool(client.is_connected or client.is_beating)

    def ask(self, message: Message, identities: Sequence[Buffer]) -> None:
        """Send to the kernel what a program has sent; what cannot be sent is answered with the error."""
        asked = None
        if message.channel != "stdin":
            asked = self._routes.add(message, identities)
        try:
            if self._routes.size > self._limit:
                raise RelayOverflowError(self._limit)
            self._client.send(message.channel, message.parts)
        except KernelManagementError as error:
            log.warning("%s of a program was not sent: %s", message.msg_type, error)
            if asked is not None:
                self._routes.answered(message.msg_id)
                self._fail(asked, error)

    def fail(self, error: Exception) -> None:
        """Answer all that the kernel has not answered."""
        for asked in self._routes.take_unanswered():
            self._fail(asked, error)

    async def until_end(self) -> None:
        """Wait until the kernel has died, or is out of reach for good."""
        await self._has_failed.wait()
        while self._client.failure is None:  # the client has gone over to another kernel
            self._has_failed = anyio.Event()
            await self._has_failed.wait()

    async def get_ready(self) -> None:
        """Wait until the kernel answers, and let the programs in then at the latest."""
        with suppress(KernelManagementError):
            await self._client.wait_for_ready()
            self._front.let_in()
            await anyio.sleep(self._front.patience)
            self._front.wait_for_no_subscriber()

    async def repeat_questions(self) -> None:
        """Repeat questions that could not be put, until they can or need no answer any more."""
        while True:
            await self._has_questions.wait()
            await anyio.sleep(_REPEAT)
            self._has_questions = anyio.Event()
            questions, self._questions = self._questions, []
            for asked, message in questions:
                if self._routes.is_unanswered(asked):
                    self._put_question(asked, message)

    def _change(self) -> None:
        if self._client.failure is not None:
            self._has_failed.set()
        else:  # another kernel has come in the place of the one that was asked
            self.fail(KernelDiedError())

    def _take_published(self, message: Message) -> None:
        self._front.let_in()
        # It welcomes the relay; the relay welcomes those who subscribe to what it publishes.
        if message.msg_type == "iopub_welcome":
            return
        self._front.publish(message.msg_type, message.parts)
        if message.execution_state == "idle":
            self._routes.answered(message.parent_id)

    def _take_answer(self, message: Message) -> None:
        asked = self._routes.find(message.parent_id)
        if asked is None:  # the relay itself has asked it
            return
        if message.channel == "stdin":
            self._put_question(asked, message)
            return
        self._front.reply(asked.channel, asked.identities, message.parts)
        self._routes.answered(message.parent_id)

    def _put_question(self, asked: Asked, message: Message) -> None:
        if not self._front.reply("stdin", asked.identities, message.parts):
            self._questions.append((asked, message))
            self._has_questions.set()

    def _fail(self, asked: Asked, error: Exception) -> None:
        if asked.has_reply:
            kind = asked.msg_type.removesuffix("_request") + "_reply"
            told = _told(error)
            if asked.msg_type == "execute_request":
                self._front.publish("error", self._make("error", told, asked))
            content = _content_of_failure(asked, told)
            self._front.reply(asked.channel, asked.identities, self._make(kind, content, asked))
        idle = self._make("status", {"execution_state": "idle"}, asked)
        self._front.publish("status", idle)

    def _make(self, msg_type: str, content: JSONDict, asked: Asked) -> list[Buffer]:
        parts = self._factory.make(msg_type, content)[1]
        parts[1] = asked.header
        return parts


async def _end_when_silent(client: KernelClient, seconds: float, scope: anyio.CancelScope) -> None:
    last = anyio.current_time()
    while anyio.current_time() - last <= seconds:
        await anyio.sleep(min(seconds / 2, _LOOK_AGAIN))
        if client.is_connected or client.is_beating:
            last = anyio.current_time()
    scope.cancel()


def _told(error: Exception) -> JSONDict:
    return {
        "ename": type(error).__name__,
        "evalue": str(error),
        "traceback": traceback.format_exception_only(error),
    }


def _content_of_failure(asked: Asked, told: JSONDict) -> JSONDict:
    if asked.msg_type == "shutdown_request":
        # The end of the kernel is what was asked for.
        return {"status": "ok", "restart": False}
    if asked.msg_type == "execute_request":
        return {"status": "error", "execution_count": 0, **told}
    return {"status": "error", **told}
