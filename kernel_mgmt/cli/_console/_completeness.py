"""Whether Enter runs a cell, or begins another line of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import anyio

from kernel_mgmt.client._lenient import content_of, text_of

if TYPE_CHECKING:
    from kernel_mgmt.client import KernelClient

__all__ = ("CompletenessJudge", "Verdict", "seems_complete")

# How long a kernel may take to tell whether code is complete, and how long after it did not (seconds).
_ANSWER_MOST = 1.0
_ANSWER_MOST_ONCE_SILENT = 0.1

_BRACKETS = {")": "(", "]": "[", "}": "{"}
_GOES_ON_AFTER = ("\\", "|", "&&", ",", ":", "=", "+", "->", " do", ";do", " then", ";then")
_OPENS = ("do", "then", "else", "begin")


class Verdict(NamedTuple):
    """What Enter does.

    :ivar runs: whether it runs the cell
    :ivar indent: what the next line begins with, where it does not
    """

    runs: bool
    indent: str = ""


class CompletenessJudge:
    """Asks the kernel whether code is complete, and judges by itself where the kernel cannot tell."""

    def __init__(self, client: KernelClient) -> None:
        self._client = client
        self._limit = _ANSWER_MOST

    async def judge(self, code: str) -> Verdict:
        """Tell what Enter does at the end of code.

        :raises KernelDiedError: if the kernel has died
        """
        status, indent = await self._ask(code)
        if status in ("complete", "invalid"):
            return Verdict(True)
        if status == "incomplete":
            return Verdict(False, indent)
        return Verdict(seems_complete(code), indentation_of(code))

    async def _ask(self, code: str) -> tuple[str, str]:
        with anyio.move_on_after(self._limit):
            content = content_of(await self._client.is_complete(code))
            self._limit = _ANSWER_MOST
            return text_of(content.get("status")), text_of(content.get("indent"))
        self._limit = _ANSWER_MOST_ONCE_SILENT
        return "unknown", ""


def seems_complete(code: str) -> bool:
    """Judge of code of which the kernel cannot tell whether it is complete.

    One line is, unless it evidently goes on. Several lines are when the last one is empty.
    """
    lines = code.split("\n")
    if len(lines) > 1:
        return not lines[-1].strip()
    text = lines[0].rstrip()
    return not (text.endswith(_GOES_ON_AFTER) or text in _OPENS or _leaves_open(text))


def indentation_of(code: str) -> str:
    """What the last line of code begins with."""
    line = code.rsplit("\n", 1)[-1]
    return line[: len(line) - len(line.lstrip())]


def _leaves_open(text: str) -> bool:
    """Whether a bracket or a quotation is open at the end."""
    opened: list[str] = []
    quote = ""
    escaped = False
    for character in text:
        if escaped or character == "\\":
            escaped = not escaped
        elif quote:
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character in _BRACKETS.values():
            opened.append(character)
        elif opened and opened[-1] == _BRACKETS.get(character):
            opened.pop()
    return bool(quote or opened)
