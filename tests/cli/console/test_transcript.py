"""What cells put out, at a terminal where a prompt follows."""

from __future__ import annotations

from typing import Any

import pytest

from kernel_mgmt.cli._console._transcript import Transcript
from kernel_mgmt.messages import Message, MessageFactory


def published(msg_type: str, **content: Any) -> Message:
    return Message("iopub", MessageFactory("s", "u").make(msg_type, content)[1])


def result(text: str) -> Message:
    return published("execute_result", data={"text/plain": text}, metadata={}, execution_count=3)


def test_a_result_stands_behind_its_count(capsys: pytest.CaptureFixture[str]) -> None:
    with Transcript() as transcript:
        transcript.show(result("42"))
        transcript.show(result("[1,\n 2]"))

    assert capsys.readouterr().out == "Out[3]: 42\nOut[3]:\n[1,\n 2]\n"


def test_it_knows_what_stands_before_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    with Transcript() as transcript:
        transcript.show(published("stream", name="stdout", text="one\ntw"))
        transcript.show(published("stream", name="stdout", text="o"))
        line = transcript.line
        transcript.end_line()
        transcript.end_line()

    assert (line, capsys.readouterr().out) == ("two", "one\ntwo\n")


def test_other_cells_begin_on_a_line_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    with Transcript() as transcript:
        transcript.show(published("stream", name="stdout", text="ours"))
        transcript.show_aside(published("execute_input", code="f()", execution_count=8), "[other] ")
        transcript.show_aside(result("1"), "[other] ")

    assert capsys.readouterr().out == "ours\n[other] In [8]: f()\n[other] Out[3]: 1\n"


def test_it_leaves_no_empty_directory_for_images() -> None:
    with Transcript() as transcript:
        directory = transcript.directory

    assert not directory.exists()
