"""A cell that runs: what comes of it, what it asks for, and how it is interrupted."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from kernel_mgmt.cli._interrupt import interruptible
from kernel_mgmt.cli._terminal import say
from kernel_mgmt.client._lenient import content_of, text_of
from kernel_mgmt.exceptions import KernelDiedError, KernelManagementError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient, Request
    from kernel_mgmt.messages import Message

    from ._prompt import Prompts
    from ._transcript import Transcript

__all__ = ("Ending", "RunningCell")

# How long a kernel may take to tell that it has been interrupted (seconds).
_INTERRUPT_MOST = 3.0
# What a terminal sends for the end of a file.
_END_OF_FILE = "\x04"


class Ending(Enum):
    """Why a session has ended.

    :cvar LEFT: the person has left
    :cvar RESTART: another kernel is to follow
    :cvar ENDED: the kernel has said that it ends
    :cvar DIED: the kernel has died
    """

    LEFT = auto()
    RESTART = auto()
    ENDED = auto()
    DIED = auto()


class _Withdrawn(Exception):
    """Raised where somebody was asked whose answer is no longer wanted."""


class RunningCell:
    """Stands between the person and the kernel while a cell runs.

    :param own: whether the kernel was started for this console
    """

    def __init__(
        self,
        manager: KernelManagerABC | None,
        client: KernelClient,
        transcript: Transcript,
        prompts: Prompts,
        *,
        own: bool,
    ) -> None:
        self._manager = manager
        self._client = client
        self._transcript = transcript
        self._prompts = prompts
        self._own = own

    async def follow(self, request: Request) -> Ending | None:
        """Show what a request publishes, answer what it asks, and heed Ctrl-C, until it is done.

        :param request: one with stdin
        :return: what the person wants, if it is not done
        """
        asked: Message | None = None
        while True:
            try:
                if asked is None:
                    async with interruptible(self._manager, self._client):
                        asked = await self._show_until_asked(request)
                    if asked is None:
                        return None
                asked = await self._answer(asked, request)
            except KeyboardInterrupt:
                ending = await self._ask_what_to_do(request)
                if ending is not None:
                    return ending

    async def _show_until_asked(self, request: Request) -> Message | None:
        async for message in request:
            if message.channel == "stdin":
                return message
            self._transcript.show(message)
        await request
        return None

    async def _answer(self, asked: Message, request: Request) -> Message | None:
        """Ask the person, and answer the kernel, which may ask again meanwhile, or have done."""
        content = content_of(asked)
        prompt, password = text_of(content.get("prompt")), bool(content.get("password"))
        try:
            value, again = await self._ask_beside(prompt, request, password=password)
        except KeyboardInterrupt:
            await self.interrupt()
            return None
        except EOFError:
            value, again = _END_OF_FILE, None
        if value is not None:
            self._client.input(value, asked)
        return again

    async def _ask_beside(
        self, prompt: str, request: Request, *, password: bool = False
    ) -> tuple[str | None, Message | None]:
        """Ask for a line while a request goes on.

        :return: the line, or ``None`` if the request has ended or asks something else; then that
        """
        line, self._transcript.line = self._transcript.line, ""
        if line:
            # What stands before the cursor belongs to the prompt, which is drawn again and again.
            sys.stdout.write("\r")
        again: list[Message] = []

        async def show_meanwhile() -> None:
            with suppress(KernelManagementError):  # whoever awaits the request is told
                async for message in request:
                    if message.channel == "stdin":
                        again.append(message)
                        break
                    self._prompts.show(partial(self._show_line_by_line, message))
            self._prompts.withdraw(_Withdrawn())

        asking = self._ask_line(line + prompt, password=password)
        value = await _first(asking, show_meanwhile())
        return value, again[0] if again else None

    async def _ask_line(self, prompt: str, *, password: bool) -> str | None:
        if password and os.environ.get("TERM") == "dumb":
            from getpass import getpass

            # There, a prompt shows what is typed.
            return await to_thread.run_sync(getpass, prompt, abandon_on_cancel=True)
        try:
            return await self._prompts.line(prompt, password=password)
        except _Withdrawn:
            return None

    def _show_line_by_line(self, message: Message) -> None:
        self._transcript.show(message)
        self._transcript.end_line()

    async def interrupt(self) -> None:
        """Interrupt the kernel; where that cannot be, say so."""
        try:
            with anyio.move_on_after(_INTERRUPT_MOST) as scope:
                await self._client.interrupt()
            if scope.cancelled_caught:
                say("The kernel has not answered that it has been interrupted")
        except KernelDiedError:
            raise
        except KernelManagementError as error:
            say(str(error))

    async def _ask_what_to_do(self, request: Request) -> Ending | None:
        """Ask what is to become of a kernel that goes on though it was interrupted."""
        self._transcript.end_line()
        choices = {"w": None, "l": Ending.LEFT}
        if self._own:
            question = "The kernel goes on. Wait (w), restart it (r), or end it and leave (l)? "
            choices["r"] = Ending.RESTART
        else:
            question = "The kernel goes on. Wait (w), or leave it (l)? "
        try:
            self._prompts.forget_typed()
            answer, _ = await self._ask_beside(question, request)
        except (KeyboardInterrupt, EOFError):
            answer = "l"
        ending = choices.get((answer or "w").strip().lower()[:1])
        if ending is Ending.LEFT and self._own:
            say("Ending the kernel")
        return ending


async def _first(wanted: Awaitable[str | None], meanwhile: Awaitable[None]) -> str | None:
    """Await one thing while another goes on, which ends with it."""
    failure: BaseException | None = None
    result: str | None = None
    async with anyio.create_task_group() as tasks:

        async def go_on() -> None:
            await meanwhile

        tasks.start_soon(go_on)
        try:
            result = await wanted
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - raised below, by itself
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return result
