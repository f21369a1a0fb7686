"""Launch parameters as they are typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel_mgmt.cli._parameters import ask_for_missing, read_parameters, type_of_text
from kernel_mgmt.cli._status import CommandError

SCHEMA = {
    "properties": {
        "cores": {"type": "integer"},
        "share": {"type": "number"},
        "debug": {"type": "boolean"},
        "standard": {"enum": ["C++17", 20]},
        "libraries": {"type": "array"},
        "either": {"type": ["null", "string"]},
        "shared": {"$ref": "#/$defs/count"},
        "text": {"type": "string"},
    },
    "required": ["cores", "shared"],
    "$defs": {"count": {"type": "integer", "default": 1}},
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("cores", "4", 4),
        ("cores", "4.0", 4.0),
        ("share", "0.5", 0.5),
        ("debug", "true", True),
        ("debug", "No", False),
        ("standard", "C++17", "C++17"),
        ("standard", "20", 20),
        ("libraries", '["m"]', ["m"]),
        ("either", "null", None),
        ("either", "some", "some"),
        ("shared", "2", 2),
        ("text", "10", "10"),
        ("text", '"quoted"', '"quoted"'),
        ("unknown", "1.10", "1.10"),
    ],
)
def test_a_text_is_given_the_type_of_its_parameter(name: str, text: str, value: object) -> None:
    meant = type_of_text(SCHEMA, name, text)

    assert (meant, type(meant)) == (value, type(value))


@pytest.mark.parametrize(
    "schema", [None, {"properties": 7}, {"properties": {"cores": 7}, "required": 7}]
)
def test_a_schema_that_says_nothing_of_use_leaves_texts(schema: dict[str, object] | None) -> None:
    meant = type_of_text(schema, "cores", "4")

    assert meant == "4"
    assert ask_for_missing(schema, {}) == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.json", '{"cores": 4}'),
        ("p.toml", "cores = 4"),
        ("p", '{"cores": 4}'),
        ("marked.json", '\ufeff{"cores": 4}'),
    ],
)
def test_a_file_of_parameters_is_json_or_toml(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")

    assert read_parameters(path) == {"cores": 4}


@pytest.mark.parametrize(("name", "content"), [("p.json", "[]"), ("p.json", "{"), ("p.toml", "=")])
def test_a_file_of_something_else_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)

    with pytest.raises(CommandError, match=name):
        read_parameters(path)
