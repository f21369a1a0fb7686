"""Placeholders in a kernel's argv and env."""

from __future__ import annotations

import sys

import pytest

from kernel_mgmt_subprocess._template import fill_argv, fill_env


def test_a_placeholder_is_filled_in_wherever_it_stands() -> None:
    assert fill_argv(["--a={x}-{y}"], {"x": "1", "y": "2"}) == ["--a=1-2"]


def test_an_unknown_placeholder_stays() -> None:
    assert fill_argv(["{x}", "{", "{}", "{a b}"], {}) == ["{x}", "{", "{}", "{a b}"]


def test_a_value_is_not_filled_in_itself() -> None:
    assert fill_argv(["{x}"], {"x": "{y}", "y": "2"}) == ["{y}"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (0.5, "0.5"), (True, "true"), ("a b", "a b"), (["a", 1], '["a", 1]')],
)
def test_a_value_that_is_no_string_is_written_as_json(value: object, text: str) -> None:
    assert fill_argv(["{x}"], {"x": value}) == [text]


@pytest.mark.parametrize("name", ["python", "python3", f"python3.{sys.version_info.minor}"])
def test_a_bare_python_becomes_the_running_interpreter(name: str) -> None:
    assert fill_argv([name, name], {}) == [sys.executable, name]


@pytest.mark.parametrize("name", ["/usr/bin/python", "python2", "python3.0", "pythonw", "R"])
def test_any_other_program_stays(name: str) -> None:
    assert fill_argv([name], {}) == [name]


def test_variables_of_the_environment_are_filled_in() -> None:
    filled = fill_env({"A": "${B}:${C}:$B:$"}, {}, {"B": "b"})

    assert filled == {"A": "b:${C}:$B:$"}


def test_a_variable_is_no_placeholder() -> None:
    filled = fill_env({"A": "{B} ${B} ${C}"}, {"B": 1, "C": 2}, {"B": "b"})

    assert filled == {"A": "1 b ${C}"}
