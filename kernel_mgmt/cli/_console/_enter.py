"""What Enter does, which takes an answer of the kernel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPress
from prompt_toolkit.keys import Keys

from ._completeness import Verdict, indentation_of

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.buffer import Buffer
    from prompt_toolkit.document import Document
    from prompt_toolkit.key_binding import KeyPressEvent

__all__ = ("enter_bindings",)


def enter_bindings(judge: Callable[[str], Awaitable[Verdict]]) -> KeyBindings:
    """Make the bindings of Enter and of the keys that go with it.

    :param judge: tells whether a cell is run; keys that are hit meanwhile wait for it
    """
    bindings, enter = KeyBindings(), _Enter(judge)
    at_cell = has_focus(DEFAULT_BUFFER)
    bindings.add("enter", filter=at_cell)(enter.hit)
    bindings.add("escape", "enter", filter=at_cell)(_run)
    bindings.add("c-o", filter=at_cell)(_begin_line)
    bindings.add(Keys.Any, filter=Condition(lambda: enter.judges), eager=True)(enter.hold)
    return bindings


class _Enter:
    def __init__(self, judge: Callable[[str], Awaitable[Verdict]]) -> None:
        self.judges = False
        self._judge = judge
        self._held: list[KeyPress] = []

    def hit(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        state = buffer.complete_state
        if state is not None and state.current_completion is not None:
            buffer.complete_state = None
        elif _is_amid(buffer.document):
            _begin_line(event)
        else:
            self.judges = True
            event.app.create_background_task(self._decide(buffer, event.app))

    def hold(self, event: KeyPressEvent) -> None:
        self._held += event.key_sequence

    async def _decide(self, buffer: Buffer, app: Application[str]) -> None:
        try:
            verdict = await self._judge(buffer.text)
        finally:
            self.judges = False
            held, self._held = self._held, []
        if verdict.runs:
            buffer.validate_and_handle()
        else:
            buffer.cursor_position = len(buffer.text)
            buffer.insert_text(f"\n{verdict.indent}")
        # What remains of them when the cell is run is for the next one.
        app.key_processor.feed_multiple(held)
        app.key_processor.process_keys()
        app.invalidate()


def _run(event: KeyPressEvent) -> None:
    event.current_buffer.validate_and_handle()


def _begin_line(event: KeyPressEvent) -> None:
    buffer = event.current_buffer
    buffer.insert_text("\n" + indentation_of(buffer.document.text_before_cursor))


def _is_amid(document: Document) -> bool:
    """Whether the cursor is in a line of several that something follows on."""
    return "\n" in document.text and bool(document.text_after_cursor.strip())
