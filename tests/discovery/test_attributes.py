"""One shape for what providers tell."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from kernel_mgmt.discovery._attributes import normalise

MINIMAL = {
    "display_name": "x",
    "language": "",
    "language_info": {"name": ""},
    "env": {},
    "interrupt_mode": "signal",
    "metadata": {},
}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def shape(told: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    odd: list[str] = []
    return dict(normalise("x", told, odd.append)), odd


def test_what_is_left_out_gets_its_default() -> None:
    assert shape({}) == (MINIMAL, [])


def test_what_is_none_counts_as_left_out() -> None:
    assert shape(dict.fromkeys([*MINIMAL, "argv", "resource_dir"])) == (MINIMAL, [])


def test_what_is_in_shape_stays_as_it_is() -> None:
    told = {
        **MINIMAL,
        "display_name": "X",
        "language": "xlang",
        "language_info": {"name": "xlang", "version": "1"},
        "argv": ["x", "{connection_file}"],
        "env": {"A": "1"},
        "resource_dir": "/x",
        "interrupt_mode": "message",
        "metadata": {"m": 1},
        "kernel_protocol_version": "5.5",
        "launch_parameters": SCHEMA,
    }

    assert shape(told) == (told, [])


def test_what_was_told_is_not_changed_by_its_reader() -> None:
    told = {"argv": ["x"], "env": {"A": "1"}, "metadata": {"m": 1}, "language_info": {"name": "l"}}
    shaped, _ = shape(told)
    shaped["argv"].append("y")
    for key in ("env", "metadata", "language_info"):
        shaped[key]["new"] = "y"

    assert told == {
        "argv": ["x"],
        "env": {"A": "1"},
        "metadata": {"m": 1},
        "language_info": {"name": "l"},
    }


@pytest.mark.parametrize(
    "told",
    [
        {"language": "l"},
        {"language_info": {"name": "l"}},
        {"language": {"name": "l"}},
        {"language_info": "l"},
        {"language": "", "language_info": {"name": "l"}},
        {"language": "l", "language_info": {}},
    ],
    ids=repr,
)
def test_a_language_may_be_told_in_every_way(told: dict[str, Any]) -> None:
    shaped, odd = shape(told)

    assert (shaped["language"], shaped["language_info"]) == ("l", {"name": "l"})
    assert odd == []


def test_the_rest_of_a_language_told_as_a_mapping_is_kept() -> None:
    shaped, _ = shape({"language": {"name": "l", "version": "1"}})

    assert shaped["language_info"] == {"name": "l", "version": "1"}


def test_a_sequence_and_a_path_take_the_usual_types() -> None:
    shaped, odd = shape(
        {"argv": ("a", "b"), "resource_dir": Path("/x"), "env": MappingProxyType({"A": "1"})}
    )

    assert (shaped["argv"], shaped["resource_dir"]) == (["a", "b"], str(Path("/x")))
    assert type(shaped["env"]) is dict
    assert odd == []


def test_an_interrupt_mode_compares_without_case() -> None:
    assert shape({"interrupt_mode": "Message"})[0]["interrupt_mode"] == "message"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("display_name", 3),
        ("language", 3),
        ("language_info", ["l"]),
        ("argv", "x"),
        ("argv", ["x", 3]),
        ("argv", {}),
        ("env", {"A": 1}),
        ("env", {1: "A"}),
        ("env", "A=1"),
        ("resource_dir", 3),
        ("resource_dir", b"/x"),
        ("interrupt_mode", "sigint"),
        ("interrupt_mode", 2),
        ("metadata", []),
        ("kernel_protocol_version", 5.5),
        ("launch_parameters", "none"),
    ],
)
def test_what_is_of_the_wrong_type_is_reported_and_counts_as_left_out(
    key: str, value: object
) -> None:
    shaped, odd = shape({key: value})

    assert shaped == MINIMAL
    assert len(odd) == 1
    assert odd[0].startswith(f"{key} should be ")


@pytest.mark.parametrize("key", ["parameters", "launch_parameter_schema"])
def test_the_schema_of_the_launch_parameters_is_found_in_the_metadata(key: str) -> None:
    assert shape({"metadata": {key: SCHEMA}})[0]["launch_parameters"] == SCHEMA


def test_the_schema_of_the_enhancement_proposal_comes_first() -> None:
    metadata = {"launch_parameter_schema": {"type": "null"}, "parameters": SCHEMA}

    assert shape({"metadata": metadata})[0]["launch_parameters"] == SCHEMA


def test_what_nobody_knows_is_kept() -> None:
    assert shape({"x-icon": "square"}) == ({**MINIMAL, "x-icon": "square"}, [])


def test_an_empty_display_name_is_as_good_as_none() -> None:
    assert shape({"display_name": ""})[0]["display_name"] == "x"
