from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import validate

from kernel_mgmt.exceptions import KernelSpecError
from kernel_mgmt.kernelspecs import KernelSpec, KernelSpecFinder, logos, read_kernel_spec

MINIMAL: dict[str, Any] = {"argv": ["prog"], "display_name": "A kernel", "language": "lang"}

# The rules of JEP 105, as its prose has them; the published schema enforces only what is required,
# and would have metadata hold nothing but objects.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["argv", "display_name", "language"],
    "properties": {
        "argv": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "display_name": {"type": "string"},
        "language": {"type": "string"},
        "kernel_protocol_version": {"type": "string"},
        "interrupt_mode": {"enum": ["signal", "message"]},
        "env": {"type": "object", "additionalProperties": {"type": "string"}},
        "metadata": {"type": "object"},
    },
}


def read(tmp_path: Path, content: object) -> KernelSpec:
    folder = tmp_path / "Folder"
    folder.mkdir(exist_ok=True)
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    (folder / "kernel.json").write_bytes(encoded)
    return read_kernel_spec(folder)


def test_everything_that_is_told_is_kept(tmp_path: Path) -> None:
    content = MINIMAL | {
        "env": {"A": "${HOME}"},
        "interrupt_mode": "message",
        "metadata": {"debugger": True},
        "kernel_protocol_version": "5.5",
        "codemirror_mode": "an extra that kernels write",
    }

    spec = read(tmp_path, content)

    assert spec == KernelSpec(
        name="folder",
        path=str(tmp_path / "Folder" / "kernel.json"),
        resource_dir=str(tmp_path / "Folder"),
        argv=("prog",),
        display_name="A kernel",
        language="lang",
        env={"A": "${HOME}"},
        interrupt_mode="message",
        metadata={"debugger": True},
        kernel_protocol_version="5.5",
        oddities=(),
    )


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    spec = read(tmp_path, MINIMAL)

    assert (spec.env, spec.metadata, spec.interrupt_mode) == ({}, {}, "signal")
    assert (spec.kernel_protocol_version, spec.launch_parameters, spec.oddities) == (None, None, ())


def test_a_kernelspec_cannot_be_changed(tmp_path: Path) -> None:
    spec = read(tmp_path, MINIMAL)

    with pytest.raises(FrozenInstanceError):
        spec.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("odd", "attribute", "used"),
    [
        ({"display_name": None}, "display_name", "folder"),
        ({"language": ["python"]}, "language", ""),
        ({"env": None}, "env", {}),
        ({"env": ["A=1"]}, "env", {}),
        ({"env": {"A": 1, "B": "b"}}, "env", {"A": "1", "B": "b"}),
        ({"env": {"A": True, "B": "b"}}, "env", {"B": "b"}),
        ({"env": {"A": None, "B": "b"}}, "env", {"B": "b"}),
        ({"env": {"A=": "a", "B": "b"}}, "env", {"B": "b"}),
        ({"env": {"": "a", "B": "b"}}, "env", {"B": "b"}),
        ({"env": {"A": "\0", "B": "b"}}, "env", {"B": "b"}),
        ({"metadata": None}, "metadata", {}),
        ({"metadata": ["debugger"]}, "metadata", {}),
        ({"metadata": {"parameters": None}}, "launch_parameters", None),
        ({"metadata": {"launch_parameter_schema": 1}}, "launch_parameters", None),
        ({"metadata": {"half": "\ud800"}}, "metadata", {"half": "?"}),
        ({"metadata": {"\udfff": ["\ud800"]}}, "metadata", {"?": ["?"]}),
        ({"metadata": {"nan": float("nan")}}, "metadata", {"nan": None}),
        ({"metadata": {"inf": float("-inf")}}, "metadata", {"inf": None}),
        ({"interrupt_mode": "carrier pigeon"}, "interrupt_mode", "signal"),
        ({"interrupt_mode": "MESSAGE"}, "interrupt_mode", "message"),
        ({"interrupt_mode": None}, "interrupt_mode", "signal"),
        ({"kernel_protocol_version": 5.5}, "kernel_protocol_version", None),
    ],
    ids=str,
)
def test_what_is_odd_is_reported_and_the_rest_is_used(
    tmp_path: Path, odd: dict[str, Any], attribute: str, used: object
) -> None:
    spec = read(tmp_path, MINIMAL | odd)

    assert spec.argv == ("prog",)
    assert getattr(spec, attribute) == used
    assert len(spec.oddities) == 1


def test_display_name_and_language_may_be_missing(tmp_path: Path) -> None:
    spec = read(tmp_path, {"argv": ["prog"]})

    assert (spec.display_name, spec.language) == ("folder", "")
    assert spec.oddities == (
        "display_name is missing; 'folder' is used",
        "language is missing; '' is used",
    )


def test_a_byte_order_mark_is_reported_and_read_over(tmp_path: Path) -> None:
    spec = read(tmp_path, b"\xef\xbb\xbf" + json.dumps(MINIMAL).encode())

    assert spec.display_name == "A kernel"
    assert spec.oddities == ("it begins with a byte order mark; it is read without it",)


def test_letters_of_the_world_are_read(tmp_path: Path) -> None:
    written = json.dumps(MINIMAL | {"display_name": "核 😀"}, ensure_ascii=False).encode()
    escaped = json.dumps(MINIMAL | {"display_name": "核 😀"}).encode()

    assert read(tmp_path, written).display_name == "核 😀"
    assert read(tmp_path, escaped).display_name == "核 😀"
    assert read(tmp_path, escaped).oddities == ()


def test_oddities_are_told_by_a_listing(tmp_path: Path) -> None:
    read(tmp_path, MINIMAL | {"env": None, "metadata": None})
    finder = KernelSpecFinder([tmp_path])

    (spec,) = finder.find()

    assert [problem.reason for problem in finder.problems] == list(spec.oddities)
    assert {(problem.name, problem.path) for problem in finder.problems} == {("folder", spec.path)}


@pytest.mark.parametrize("key", ["parameters", "launch_parameter_schema"])
def test_launch_parameters_have_a_schema_in_the_metadata(tmp_path: Path, key: str) -> None:
    schema = {"type": "object", "properties": {"cores": {"type": "integer"}}}

    spec = read(tmp_path, MINIMAL | {"metadata": {key: schema}})

    assert spec.launch_parameters == schema


def test_the_newer_name_of_the_schema_has_precedence(tmp_path: Path) -> None:
    metadata = {"parameters": {"title": "new"}, "launch_parameter_schema": {"title": "old"}}

    spec = read(tmp_path, MINIMAL | {"metadata": metadata})

    assert spec.launch_parameters == {"title": "new"}


def test_a_folder_without_a_kernelspec_is_told(tmp_path: Path) -> None:
    with pytest.raises(KernelSpecError, match="not there") as caught:
        read_kernel_spec(tmp_path)

    assert caught.value.path == str(tmp_path / "kernel.json")


def test_a_device_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "kernel.json").symlink_to("/dev/zero")

    with pytest.raises(KernelSpecError, match="regular file"):
        read_kernel_spec(tmp_path)


def test_logos_are_found_by_name(tmp_path: Path) -> None:
    for name in ("kernel.json", "logo-64x64.png", "logo-svg.svg"):
        (tmp_path / name).touch()

    assert logos(tmp_path) == {
        "logo-64x64": str(tmp_path / "logo-64x64.png"),
        "logo-svg": str(tmp_path / "logo-svg.svg"),
    }
    assert logos(tmp_path / "missing") == {}


def test_a_file_that_grows_while_it_is_read_is_read_whole(tmp_path: Path) -> None:
    from kernel_mgmt.kernelspecs._read import read_kernel_file

    path = str(tmp_path / "kernel.json")
    Path(path).write_text("{")
    before = os.stat(path)
    Path(path).write_text(json.dumps(MINIMAL))

    assert read_kernel_file(path, "n", str(tmp_path), before).display_name == "A kernel"


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    from kernel_mgmt.kernelspecs._read import read_kernel_file
    from kernel_mgmt.kernelspecs._spec import UnusableError

    path = tmp_path / "kernel.json"
    path.write_text("{}")
    before = path.stat()
    path.unlink()
    os.mkfifo(path)

    with pytest.raises(UnusableError, match="not JSON"):
        read_kernel_file(str(path), "n", str(tmp_path), before)


def test_a_file_that_vanishes_before_it_is_read_is_an_error_of_the_system(tmp_path: Path) -> None:
    from kernel_mgmt.kernelspecs._read import explain, read_kernel_file

    path = tmp_path / "kernel.json"
    path.write_text("{}")
    before = path.stat()
    path.unlink()

    with pytest.raises(FileNotFoundError) as caught:
        read_kernel_file(str(path), "n", str(tmp_path), before)
    assert explain(caught.value) == "it is not there, or went away while it was read"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "argv": st.lists(st.text() | JSON_VALUES) | st.just(["prog"]) | JSON_VALUES,
        "display_name": st.text() | JSON_VALUES,
        "language": st.text() | JSON_VALUES,
        "env": st.dictionaries(st.text(), st.text() | JSON_VALUES) | JSON_VALUES,
        "metadata": st.dictionaries(st.text(), JSON_VALUES) | JSON_VALUES,
        "interrupt_mode": st.sampled_from(["signal", "message", "Message"]) | JSON_VALUES,
        "kernel_protocol_version": st.text() | JSON_VALUES,
        "codemirror_mode": JSON_VALUES,
    },
)
ON_ONE_FOLDER = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ON_ONE_FOLDER
@given(content=SPECS | JSON_VALUES)
def test_nothing_but_a_kernelspec_or_its_error_comes_of_any_json(
    tmp_path: Path, content: object
) -> None:
    try:
        spec = read(tmp_path, content)
    except KernelSpecError:
        return

    json.dumps([spec.argv, spec.env, spec.metadata], allow_nan=False).encode()
    assert all(type(value) is str for value in (*spec.argv, *spec.env, *spec.env.values()))
    assert spec.interrupt_mode in ("signal", "message")


@ON_ONE_FOLDER
@given(content=st.binary(max_size=200) | st.text().map(str.encode))
def test_nothing_but_a_kernelspec_or_its_error_comes_of_any_bytes(
    tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(KernelSpecError):
        read(tmp_path, content)


@ON_ONE_FOLDER
@given(content=SPECS)
def test_whatever_breaks_the_rules_of_the_specification_is_reported(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    try:
        spec = read(tmp_path, content)
    except KernelSpecError:
        return

    if not spec.oddities:
        validate(content, SCHEMA)


def test_kernelspecs_are_read_without_heavy_modules() -> None:
    script = (
        "import sys, kernel_mgmt.kernelspecs as k; k.KernelSpecFinder().find();"
        "print({'pathlib', 'shutil', 'tempfile', 'logging', 'asyncio', 'anyio', 'zmq', 'msgspec',"
        " 'jsonschema', 'platformdirs', 'jupyter_core'} & set(sys.modules))"
    )

    completed = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert completed.stdout.strip() == "set()", completed.stderr
