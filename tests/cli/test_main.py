"""What holds for every command."""

from __future__ import annotations

import pexpect

from .conftest import Run, Terminal


def test_an_unknown_command_names_the_one_that_may_be_meant(run: Run) -> None:
    result = run("lst")

    assert "There is no command 'lst'; did you mean 'list'?" in result.stderr
    assert (result.returncode, result.stdout) == (2, "")


def test_the_help_is_shown_at_a_terminal(terminal: Terminal) -> None:
    child = terminal("--help")

    child.expect_exact("List the kernel types")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
