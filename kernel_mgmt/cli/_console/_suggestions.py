"""How a cell may go on, as the kernel suggests it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import anyio

from kernel_mgmt.client._lenient import content_of, object_of, text_of

if TYPE_CHECKING:
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.types import JSONDict

__all__ = ("Suggestion", "ask_for_suggestions", "read_suggestions")

# How long a kernel may think about it, in seconds; one that runs something does not answer at all.
_ANSWER_MOST = 3.0


class Suggestion(NamedTuple):
    """A way in which a cell may go on.

    :ivar start: where it begins, in characters before the cursor
    :ivar kind: what it is, such as ``function``, if the kernel says so
    """

    text: str
    start: int
    kind: str = ""


async def ask_for_suggestions(
    client: KernelClient, code: str, cursor: int, limit: float = _ANSWER_MOST
) -> list[Suggestion]:
    """Ask the kernel how code may go on at the cursor.

    :param cursor: in characters
    :param limit: how long it may take, in seconds
    :return: nothing if the kernel does not answer in time
    """
    with anyio.move_on_after(limit):
        return read_suggestions(content_of(await client.complete(code, cursor)), code, cursor)
    return []


def read_suggestions(content: JSONDict, code: str, cursor: int) -> list[Suggestion]:
    """Read the content of a ``complete_reply``."""
    kinds = _with_kinds(content)
    if kinds:
        return [_suggestion(item, code, cursor) for item in kinds]
    matches = content.get("matches")
    place = {"start": content.get("cursor_start"), "end": content.get("cursor_end")}
    texts = cast("list[object]", matches) if isinstance(matches, list) else []
    return [_suggestion({**place, "text": text}, code, cursor) for text in texts]


def _with_kinds(content: JSONDict) -> list[JSONDict]:
    """What ipykernel tells in more detail than the specification has it."""
    found = object_of(content.get("metadata")).get("_jupyter_types_experimental")
    items = cast("list[object]", found) if isinstance(found, list) else []
    return [object_of(item) for item in items if object_of(item).get("text")]


def _suggestion(item: JSONDict, code: str, cursor: int) -> Suggestion:
    start, end = item.get("start"), item.get("end")
    start = start if isinstance(start, int) and 0 <= start <= cursor else cursor
    text, kind = text_of(item.get("text")), text_of(item.get("type"))
    if isinstance(end, int) and end > cursor:
        # What stands behind the cursor stays there.
        text = text.removesuffix(code[cursor:end])
    return Suggestion(text, start - cursor, "" if kind == "<unknown>" else kind)
