"""What goes to the terminal."""

from __future__ import annotations

import json

import pytest

from kernel_mgmt.cli._status import CommandError, Status
from kernel_mgmt.cli._terminal import confirm, print_json, print_table, printable, progress, say


def test_columns_are_aligned_by_what_they_take_on_the_screen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("A", "B"), [("日本", "x"), ("e\u0301", "y"), ("abcd", "z")])

    assert capsys.readouterr().out.splitlines() == [
        "A     B",
        "日本  x",
        "e\u0301     y",
        "abcd  z",
    ]


def test_a_cell_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A",), [("a\nb\x1b[31m",)])

    assert capsys.readouterr().out.splitlines() == ["A", r"a\nb\x1b[31m"]


def test_talk_keeps_its_lines_and_loses_what_steers_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("\x1b[31mError\x1b[0m\n\tat\x1b]0;title\x07")

    told = capsys.readouterr()
    assert told.err == "Error\n        at\\x1b]0;title\\x07\n"
    assert told.out == ""


def test_text_that_is_harmless_stays_as_it_is() -> None:
    assert printable("Grüße, 日本") == "Grüße, 日本"


def test_json_keeps_its_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "é\x1b"})

    written = capsys.readouterr().out
    assert "é" in written
    assert "\x1b" not in written
    assert json.loads(written) == {"a": "é\x1b"}


def test_where_nobody_can_be_asked_consent_needs_an_option() -> None:
    confirm("Remove it?", yes=True)
    with pytest.raises(CommandError, match="Nobody can be asked here") as caught:
        confirm("Remove it?")

    assert caught.value.status is Status.USAGE


def test_nobody_sees_the_progress_of_what_runs_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress("Waiting"):
        pass

    assert capsys.readouterr() == ("", "")
