from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_mgmt.parameters import fill_argv, fill_env


def test_placeholders_become_values() -> None:
    argv = fill_argv(["cling", "-f", "{file}", "-std={std}-{std}"], {"file": "/f", "std": "c++17"})

    assert argv == ["cling", "-f", "/f", "-std=c++17-c++17"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (8, "8"),
        (0.5, "0.5"),
        (True, "true"),
        (False, "false"),
        (["a", 1], '["a", 1]'),
        ({"é": None}, '{"é": null}'),
        ("", ""),
        (PurePosixPath("/a/b"), "/a/b"),
    ],
)
def test_a_value_that_is_no_string_becomes_json(value: object, text: str) -> None:
    assert fill_argv(["-n {x}"], {"x": value}) == [f"-n {text}"]


@pytest.mark.parametrize(
    "argument",
    ['{ "a": 1 }', '{"x": {}}', "{}", "{unknown}", "{{unknown}}", "{x y}", "{x", "x}", "{x-y}"],
)
def test_other_braces_stay_as_they_are(argument: str) -> None:
    assert fill_argv([argument], {"x": "value"}) == [argument]


def test_a_name_with_the_value_none_stays_as_it_is() -> None:
    assert fill_argv(["{resource_dir}"], {"resource_dir": None}) == ["{resource_dir}"]


@pytest.mark.parametrize(
    ("argument", "filled"),
    [
        ("{{x}}", "{x}"),
        ("a{{x}}b{x}", "a{x}b1"),
        ("{{{x}}}", "{{1}}"),
        ('{"a":{"b":{x}}}', '{"a":{"b":1}}'),
    ],
)
def test_double_braces_escape_a_placeholder(argument: str, filled: str) -> None:
    assert fill_argv([argument], {"x": 1}) == [filled]


def test_a_value_is_not_searched_for_placeholders() -> None:
    values = {"x": "{key} ${HOME}", "key": "secret"}

    assert fill_argv(["{x}"], values) == ["{key} ${HOME}"]
    assert fill_env({"X": "{x}"}, values, {"HOME": "/root"}) == {"X": "{key} ${HOME}"}


def test_variables_in_the_environment_are_looked_up() -> None:
    env = {"PATH": "/opt/{version}/bin:${PATH}", "GONE": "${GONE}", "PLAIN": "$HOME"}

    filled = fill_env(env, {"version": 3, "PATH": "/evil"}, {"PATH": "/bin", "HOME": "/root"})

    assert filled == {"PATH": "/opt/3/bin:/bin", "GONE": "${GONE}", "PLAIN": "$HOME"}


def test_variables_are_no_matter_of_argv() -> None:
    assert fill_argv(["${HOME}"], {}) == ["${HOME}"]


@settings(deadline=None)
@given(st.lists(st.text(alphabet="{}$ab_ ", max_size=12)), st.text(alphabet="{}$ab"))
def test_filling_in_nothing_changes_nothing(argv: list[str], value: str) -> None:
    assert fill_argv(argv, {"c": value}) == argv
    assert fill_env(dict.fromkeys(argv, value), {"c": value}, {}) == dict.fromkeys(argv, value)
