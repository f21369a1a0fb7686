"""What holds for every command."""

from __future__ import annotations

from .conftest import Run


def test_an_unknown_command_names_the_one_that_may_be_meant(run: Run) -> None:
    result = run("lst")

    assert "There is no command 'lst'; did you mean 'list'?" in result.stderr
    assert (result.returncode, result.stdout) == (2, "")
