"""A person and a kernel: cells go to the kernel, and what comes of them is shown."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import anyio
import click
from anyio import to_thread

from kernel_mgmt.cli._outputs import has_colour
from kernel_mgmt.cli._terminal import say
from kernel_mgmt.client._lenient import content_of, object_of, text_of
from kernel_mgmt.exceptions import KernelDiedError, KernelManagementError

from ._completeness import CompletenessJudge, Verdict
from ._echo import no_echo
from ._history import HistoryFile, ask_for_history, merge_histories
from ._prompt import Prompts, find_lexer
from ._running_cell import Ending, RunningCell
from ._suggestions import Suggestion, ask_for_suggestions
from ._words import HELP, Command, command_of, language_of, prefix_of

if TYPE_CHECKING:
    from prompt_toolkit.lexers import Lexer

    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import JSONDict

    from ._transcript import Transcript

__all__ = ("Ending", "Session")

# How long a kernel may take, in seconds: to tell its history and count before the first prompt, and
# what is known of a thing.
_GREETING_MOST = 1.0
_EXPLAIN_MOST = 3.0


class Session:
    """Takes cells until the person leaves, or the kernel is no more.

    :param own: whether the kernel was started for this session
    :param include_others: whether what other clients do is shown, too
    """

    def __init__(
        self,
        manager: KernelManagerABC | None,
        client: KernelClient,
        transcript: Transcript,
        *,
        own: bool,
        include_others: bool = False,
    ) -> None:
        self._manager = manager
        self._client = client
        self._transcript = transcript
        self._own = own
        self._include_others = include_others
        self._judge = CompletenessJudge(client)
        self._language = language_of(client)
        self._count: int | None = 1 if own else None
        self._next_text = ""
        self._running = ""
        self._prompts: Prompts
        self._cell: RunningCell

    async def run(self) -> Ending:
        """Take cells; return why no more are taken."""
        prompts = self._prompts = await self._make_prompts()
        self._cell = RunningCell(
            self._manager, self._client, self._transcript, prompts, own=self._own
        )
        self._client.add_handler(self._published)
        self._client.add_change_handler(self._connection_changed)
        try:
            return await self._take_cells()
        except KernelDiedError as error:
            self._transcript.end_line()
            say(str(error))
            return await self._after_death()
        finally:
            self._client.remove_handler(self._published)

    # What the prompt for cells asks

    async def judge(self, code: str) -> Verdict:
        """Whether Enter runs a cell."""
        if not code.strip() or command_of(code, self._language) is not None:
            return Verdict(True)
        try:
            return await self._judge.judge(code)
        except KernelManagementError:  # what is run will tell it
            return Verdict(True)

    async def suggest(self, code: str, cursor: int) -> list[Suggestion]:
        """How a cell may go on."""
        try:
            return await ask_for_suggestions(self._client, code, cursor)
        except KernelManagementError:
            return []

    async def explain(self, code: str, cursor: int) -> str:
        """What is known of the thing at the cursor; empty if nothing is."""
        try:
            with anyio.move_on_after(_EXPLAIN_MOST):
                content = content_of(await self._client.inspect(code, cursor))
                return text_of(object_of(content.get("data")).get("text/plain"))
        except KernelManagementError:
            pass
        return ""

    async def show_page(self, text: str) -> None:
        """Show text: by a pager if it is longer than the screen."""
        text = text.rstrip("\n")
        if text.count("\n") + 1 < _screen_lines():
            self._transcript.write(text + "\n")
            return
        self._transcript.end_line()
        colour = has_colour(sys.stdout)
        await to_thread.run_sync(click.echo_via_pager, text + "\n", colour)

    # Cells

    async def _make_prompts(self) -> Prompts:
        file = HistoryFile.of_language(self._language)
        remembered: list[str] = []

        async def remember() -> None:
            with suppress(KernelManagementError):
                remembered.extend(await ask_for_history(self._client, _GREETING_MOST))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(remember)
            if self._count is None:
                tasks.start_soon(self._learn_count)
        typed = file.read()
        # What comes last is nearest: what was typed in this kernel, or else at the last console.
        histories = (remembered, typed) if self._own else (typed, remembered)
        return Prompts(self, merge_histories(*histories), file, self._find_lexer())

    def _find_lexer(self) -> Lexer | None:
        info = object_of((self._client.kernel_info_dict or {}).get("language_info"))
        return find_lexer((text_of(info.get("pygments_lexer")), self._language))

    async def _learn_count(self) -> None:
        request = self._client.execute("", silent=True, store_history=False, allow_stdin=False)
        with suppress(KernelManagementError), anyio.move_on_after(_GREETING_MOST):
            count = content_of(await request.reply()).get("execution_count")
            self._count = count + 1 if isinstance(count, int) else None

    async def _take_cells(self) -> Ending:
        ending: Ending | None = None
        while ending is None:
            if self._client.failure is not None:
                raise self._client.failure
            self._transcript.end_line()
            text, self._next_text = self._next_text, ""
            try:
                cell = await self._prompts.cell(lambda: self._count, text)
            except KeyboardInterrupt:
                continue
            except EOFError:
                return Ending.LEFT
            command = command_of(cell, self._language)
            if command is not None:
                ending = await self._obey(command)
            elif cell.strip():
                ending = await self._run(cell)
        return ending

    async def _obey(self, command: Command) -> Ending | None:
        match command:
            case "quit":
                return Ending.LEFT
            case "restart" if self._own:
                return Ending.RESTART
            case "restart":
                say("The kernel was not started here; kernel-mgmt restart does it")
            case "interrupt":
                await self._cell.interrupt()
            case "help":
                help_text = HELP.format(prefix=prefix_of(self._language))
                self._transcript.write(help_text + "\n")
        return None

    async def _run(self, cell: str) -> Ending | None:
        self._transcript.begin_cell()
        request = self._client.execute(cell, allow_stdin=True).with_stdin()
        self._running = request.msg_id
        try:
            with no_echo():
                ending = await self._cell.follow(request)
            if ending is not None:
                return ending
            reply = content_of(await request)
        finally:
            self._running = ""
        self._take_count(reply)
        return await self._take_payloads(reply)

    def _take_count(self, reply: JSONDict) -> None:
        count = reply.get("execution_count")
        if isinstance(count, int):
            self._count = count + 1

    async def _take_payloads(self, reply: JSONDict) -> Ending | None:
        payloads = reply.get("payload")
        for item in cast("list[object]", payloads) if isinstance(payloads, list) else []:
            payload = object_of(item)
            match payload.get("source"):
                case "page":
                    await self.show_page(text_of(object_of(payload.get("data")).get("text/plain")))
                case "set_next_input":
                    self._next_text = text_of(payload.get("text"))
                case "ask_exit":
                    return Ending.ENDED
                case _:
                    pass
        return None

    async def _after_death(self) -> Ending:
        if not self._own:
            return Ending.DIED
        try:
            self._prompts.forget_typed()
            answer = await self._prompts.line("Start another (y), or leave (n)? ")
        except (KeyboardInterrupt, EOFError):
            answer = "n"
        return Ending.RESTART if answer.strip().lower().startswith("y") else Ending.DIED

    # What comes by itself

    def _published(self, message: Message) -> None:
        """Show what belongs to no cell that runs: what earlier cells left running, and others do."""
        if not message.parent_id or message.parent_id == self._running:
            return
        parent = message.parent_header
        if parent.get("msg_type") != "execute_request" or message.msg_type == "status":
            return
        is_others = parent.get("session") != self._client.session
        if message.msg_type == "execute_input":
            self._take_count(content_of(message))
            self._prompts.redraw()
        if not is_others:
            if message.msg_type != "execute_input":
                self._show_aside(message, "")
        elif self._include_others:
            self._show_aside(message, "[other] ")

    def _show_aside(self, message: Message, label: str) -> None:
        def write() -> None:
            self._transcript.show_aside(message, label)
            if not self._running:
                self._transcript.end_line()

        self._prompts.show(write)

    def _connection_changed(self) -> None:
        failure = self._client.failure
        if isinstance(failure, KernelDiedError):
            self._prompts.withdraw(failure)


def _screen_lines() -> int:
    from shutil import get_terminal_size

    return get_terminal_size().lines
