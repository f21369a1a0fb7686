"""What is for the console, and what for the kernel."""

from __future__ import annotations

import pytest

from kernel_mgmt.cli._console._words import command_of


def test_a_cell_that_is_a_command_and_nothing_else_is_one() -> None:
    assert command_of(" :restart\n", "python") == "restart"
    assert command_of(":restart now", "python") is None
    assert command_of(":nothing", "python") is None
    assert command_of("restart", "python") is None


@pytest.mark.parametrize("language", ["julia", "ruby", "Haskell"])
def test_where_a_word_behind_a_colon_is_code_it_takes_two(language: str) -> None:
    assert command_of(":help", language) is None
    assert command_of("::help", language) == "help"


def test_the_usual_words_leave() -> None:
    assert command_of("exit", "python") == "quit"
    assert command_of("quit()", "python") == "quit"
    assert command_of("exit(1)", "python") is None
