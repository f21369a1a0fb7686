"""The prompts: for cells, for what a kernel asks, and for questions of the console itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app_or_none, in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.history import DummyHistory, History
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings
from prompt_toolkit.key_binding.bindings.completion import generate_completions
from prompt_toolkit.lexers import Lexer, PygmentsLexer
from prompt_toolkit.styles import Style

from ._completeness import Verdict
from ._echo import drop_typed
from ._enter import enter_bindings
from ._suggestions import Suggestion

if TYPE_CHECKING:
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyPressEvent

    from ._history import HistoryFile

__all__ = ("CellSource", "Prompts", "find_lexer")

_STYLE = Style.from_dict({"in": "ansigreen", "in.count": "ansigreen bold"})
_INDENT = "    "


class CellSource(Protocol):
    """What the prompt for cells needs to know of the kernel."""

    async def judge(self, code: str) -> Verdict:
        """Whether Enter runs a cell."""
        ...

    async def suggest(self, code: str, cursor: int) -> list[Suggestion]:
        """How a cell may go on."""
        ...

    async def explain(self, code: str, cursor: int) -> str:
        """What is known of the thing at the cursor; empty if nothing is."""
        ...

    async def show_page(self, text: str) -> None:
        """Show text that may be longer than the screen."""
        ...


class Prompts:
    """Asks the person at the terminal, and shows above the prompt what comes meanwhile.

    :param cells: those that were typed before, the oldest first
    :param file: takes those that are typed
    :param lexer: finds what is to be highlighted
    """

    def __init__(
        self, source: CellSource, cells: Iterable[str], file: HistoryFile, lexer: Lexer | None
    ) -> None:
        self._shown_later: list[Callable[[], None]] = []
        self._withdrawn: BaseException | None = None
        self._cell: PromptSession[str] = PromptSession(
            multiline=True,
            lexer=lexer,
            style=_STYLE,
            history=_CellHistory(cells, file),
            completer=_KernelCompleter(source.suggest),
            complete_while_typing=False,
            key_bindings=merge_key_bindings([_bindings(source), enter_bindings(source.judge)]),
            prompt_continuation=_continuation,
        )
        # What is typed there may be a password.
        self._line: PromptSession[str] = PromptSession(history=DummyHistory())

    async def cell(self, count: Callable[[], int | None], text: str = "") -> str:
        """Ask for a cell.

        :param count: returns the number that it will have, if that is known; others may take it
        :param text: what stands there already
        :raises KeyboardInterrupt: at Ctrl-C
        :raises EOFError: at Ctrl-D, or when the terminal is closed

        What is given to :meth:`withdraw` is raised, too.
        """

        def message() -> StyleAndTextTuples:
            number = count()
            text = " " if number is None else str(number)
            return [("class:in", "In ["), ("class:in.count", text), ("class:in", "]: ")]

        return await self._ask(self._cell, message, default=text)

    async def line(self, prompt: str, *, password: bool = False) -> str:
        """Ask for a line; what is raised is that of :meth:`cell`.

        :param prompt: may have colours
        """
        return await self._ask(self._line, ANSI(prompt), is_password=password)

    def forget_typed(self) -> None:
        """Forget what was typed ahead, which does not answer what is asked next."""
        clear_typeahead(self._line.input)
        drop_typed()

    def show(self, write: Callable[[], None]) -> None:
        """Write something now: above the prompt, if there is one."""
        app = get_app_or_none()
        if app is None or not app.is_running:
            write()
            return
        self._shown_later.append(write)
        if len(self._shown_later) == 1:
            app.create_background_task(self._show_above())

    def redraw(self) -> None:
        """Draw the prompt again, if there is one."""
        app = get_app_or_none()
        if app is not None:
            app.invalidate()

    def withdraw(self, error: BaseException) -> None:
        """Take back what is asked, if anything is; whoever asked gets the error."""
        self._withdrawn = error
        self._leave_if_withdrawn()

    async def _ask(
        self,
        session: PromptSession[str],
        message: Callable[[], StyleAndTextTuples] | ANSI,
        *,
        default: str = "",
        is_password: bool = False,
    ) -> str:
        self._withdrawn = None
        try:
            typed = await session.prompt_async(
                message,
                default=default,
                is_password=is_password,
                pre_run=self._leave_if_withdrawn,
                set_exception_handler=False,
            )
            # Bytes that the locale does not know came as surrogates; they are UTF-8 as a rule.
            return typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        finally:
            self._show_waiting()

    def _leave_if_withdrawn(self) -> None:
        app = get_app_or_none()
        if self._withdrawn is None or app is None or app.future is None or app.future.done():
            return
        app.exit(exception=self._withdrawn)

    async def _show_above(self) -> None:
        async with in_terminal():
            self._show_waiting()

    def _show_waiting(self) -> None:
        waiting, self._shown_later = self._shown_later, []
        for write in waiting:
            write()


def find_lexer(names: Iterable[str]) -> Lexer | None:
    """Find a lexer by the first name that pygments knows; ``None`` if it knows none, or is not there."""
    try:
        lexers: Any = import_module("pygments.lexers")
    except ImportError:
        return None
    for name in filter(None, names):
        with suppress(ValueError):  # there is none of this name
            lexer: Any = lexers.get_lexer_by_name(name)
            return PygmentsLexer(lexer.__class__)
    return None


class _CellHistory(History):
    def __init__(self, cells: Iterable[str], file: HistoryFile) -> None:
        super().__init__()
        self._cells = list(cells)
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        return reversed(self._cells)

    def append_string(self, string: str) -> None:
        if string.strip():
            super().append_string(string.rstrip())

    def store_string(self, string: str) -> None:
        self._file.append(string)


class _KernelCompleter(Completer):
    def __init__(self, suggest: Callable[[str, int], Awaitable[list[Suggestion]]]) -> None:
        self._suggest = suggest

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        return ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion]:
        for text, start, kind in await self._suggest(document.text, document.cursor_position):
            yield Completion(text, start, display_meta=kind)


def _bindings(source: CellSource) -> KeyBindings:
    bindings = KeyBindings()
    at_cell = has_focus(DEFAULT_BUFFER)

    @bindings.add("tab", filter=at_cell)
    def _complete(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        buffer = event.current_buffer
        if buffer.document.current_line_before_cursor.strip() or buffer.complete_state:
            generate_completions(event)
        else:
            buffer.insert_text(_INDENT)

    @bindings.add("s-tab", filter=at_cell)
    def _explain(event: KeyPressEvent) -> None:  # pyright: ignore[reportUnusedFunction]
        buffer = event.current_buffer
        if buffer.complete_state:
            buffer.complete_previous()
        else:
            event.app.create_background_task(
                _show_explanation(source, buffer.text, buffer.cursor_position)
            )

    return bindings


async def _show_explanation(source: CellSource, code: str, cursor: int) -> None:
    text = await source.explain(code, cursor)
    if text:
        async with in_terminal():
            await source.show_page(text)


def _continuation(width: int, line: int, is_soft_wrap: int) -> StyleAndTextTuples:
    return [("class:in", " " * width if is_soft_wrap else "...: ".rjust(width))]
