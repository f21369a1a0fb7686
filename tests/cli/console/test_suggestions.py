"""How completions are read from what kernels answer."""

from __future__ import annotations

from typing import Any

from kernel_mgmt.cli._console._suggestions import Suggestion, read_suggestions


def test_positions_are_counted_in_characters() -> None:
    reply = {"matches": ["imaginary"], "cursor_start": 5, "cursor_end": 8}

    assert read_suggestions(reply, "'🙂🙂' im", 8) == [Suggestion("imaginary", -3)]


def test_kinds_are_taken_where_the_kernel_tells_them() -> None:
    kinds = [
        {"start": 0, "end": 2, "text": "import", "type": "keyword"},
        {"start": 0, "end": 2, "text": "imp", "type": "<unknown>"},
    ]
    reply = {"matches": ["x"], "metadata": {"_jupyter_types_experimental": kinds}}

    assert read_suggestions(reply, "im", 2) == [
        Suggestion("import", -2, "keyword"),
        Suggestion("imp", -2),
    ]


def test_what_stands_behind_the_cursor_is_not_repeated() -> None:
    reply = {"matches": ["print()"], "cursor_start": 0, "cursor_end": 4}

    assert read_suggestions(reply, "pr()", 2) == [Suggestion("print", -2)]


def test_a_reply_that_is_not_as_it_should_be_suggests_what_it_can() -> None:
    broken: list[dict[str, Any]] = [
        {},
        {"matches": None, "metadata": None},
        {"matches": "ab"},
        {"metadata": {"_jupyter_types_experimental": [None, {"text": ""}, 3]}},
    ]

    assert [read_suggestions(reply, "a", 1) for reply in broken] == [[], [], [], []]
    assert read_suggestions({"matches": ["ab"], "cursor_start": 9}, "a", 1) == [Suggestion("ab", 0)]
