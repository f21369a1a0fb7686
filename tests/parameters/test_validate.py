from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from types import MappingProxyType
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel_mgmt.exceptions import LaunchParameterError
from kernel_mgmt.parameters import insecure_parameters, validate

Schema: TypeAlias = dict[str, Any]
CPUS: Schema = {"type": "integer", "minimum": 1, "maximum": 8}


def of(**properties: Any) -> Schema:
    return {"type": "object", "properties": properties}


def violations(schema: Any, launch_params: Any = None, **keywords: bool) -> tuple[str, ...]:
    with pytest.raises(LaunchParameterError) as caught:
        validate("spec/x", schema, launch_params, **keywords)
    assert caught.value.name == "spec/x"
    return caught.value.violations


def test_parameters_that_fit_come_back() -> None:
    assert validate("spec/x", of(cpus=CPUS), {"cpus": 4}) == {"cpus": 4}


def test_a_kernel_type_without_a_schema_takes_any_parameters() -> None:
    assert validate("spec/x", None, {"anything": "goes"}) == {"anything": "goes"}
    assert validate("spec/x", None) == {}


def test_defaults_are_put_in() -> None:
    schema = of(cpus={**CPUS, "default": 2}, fast={"type": "boolean", "default": False})

    assert validate("spec/x", schema, {"cpus": 4}) == {"cpus": 4, "fast": False}
    assert validate("spec/x", schema) == {"cpus": 2, "fast": False}


def test_defaults_are_put_in_at_any_depth() -> None:
    inner = {**of(memory={"type": "integer", "default": 1}), "additionalProperties": False}
    schema = of(
        given=inner,
        missing=inner,
        made={**inner, "default": {}},
        listed={"type": "array", "items": inner},
    )

    values = validate("spec/x", schema, {"given": {}, "listed": [{}, {"memory": 2}]})

    assert values == {
        "given": {"memory": 1},
        "made": {"memory": 1},
        "listed": [{"memory": 1}, {"memory": 2}],
    }


def test_defaults_are_found_through_references() -> None:
    schema = {
        "$defs": {"a/b": {**CPUS, "default": 3}},
        "allOf": [of(cpus={"$ref": "#/$defs/a~1b"})],
        "properties": {"cpus": CPUS},
    }

    assert validate("spec/x", schema) == {"cpus": 3}


def test_a_default_meets_what_is_required() -> None:
    schema = {**of(cpus={**CPUS, "default": 3}), "required": ["cpus"]}

    assert validate("spec/x", schema) == {"cpus": 3}


def test_every_violation_is_in_one_error() -> None:
    schema = {
        **of(
            cpus=CPUS,
            standard={"enum": ["C++14", "C++17"]},
            fast={"const": True},
            size={"anyOf": [{"type": "integer"}, {"const": "auto"}]},
            nested=of(list={"type": "array", "items": CPUS}),
        ),
        "required": ["memory"],
        "additionalProperties": False,
    }
    launch_params = {
        "cpus": 64,
        "standard": "C++98",
        "fast": 1.5,
        "size": "big",
        "nested": {"list": [1, "two"]},
        "cpu": 1,
    }

    found = violations(schema, launch_params, allow_insecure=True)

    assert set(found) == {
        "cpus: 64 is greater than the maximum of 8",
        "standard: 'C++98' is not one of ['C++14', 'C++17']",
        "fast: 1.5 is not True",
        (
            "size: 'big' is not valid under any of the given schemas "
            "('big' is not of type 'integer' and 'auto' was expected)"
        ),
        "nested.list[1]: 'two' is not of type 'integer'",
        "'memory' is a required property",
        (
            "Additional properties are not allowed ('cpu' was unexpected); "
            "declared are: cpus, standard, fast, size, nested"
        ),
    }


def test_a_long_value_is_cut_short_in_the_error() -> None:
    (violation,) = violations(of(cpus=CPUS), {"cpus": "x" * 10_000})

    assert len(violation) < 600


def test_a_default_that_does_not_fit_is_told_as_a_default() -> None:
    (violation,) = violations(of(cpus={**CPUS, "default": "many"}))

    assert violation == "cpus: 'many' is not of type 'integer' (this is its default)"


def test_the_arguments_are_left_as_they_were() -> None:
    schema = of(nested=of(cpus={**CPUS, "default": 3}), made={"default": {"list": []}})
    launch_params: dict[str, Any] = {"nested": {}}
    before = deepcopy((schema, launch_params))

    values = validate("spec/x", schema, launch_params, allow_insecure=True)
    values["made"]["list"].append(1)
    values["nested"]["more"] = 1

    assert (schema, launch_params) == before


def test_any_mapping_will_do() -> None:
    schema = MappingProxyType(of(list={"type": "array", "items": CPUS}))

    assert validate("spec/x", schema, MappingProxyType({"list": (1, 2)})) == {"list": [1, 2]}


@pytest.mark.parametrize("value", [{1}, float("nan"), float("inf"), b"text", object(), 1j])
def test_a_value_that_json_cannot_say_is_refused(value: object) -> None:
    (violation,) = violations({}, {"x": [value]}, allow_insecure=True)

    assert violation.startswith("x[0]: ")


@pytest.mark.parametrize("schema", [None, {}])
@pytest.mark.parametrize("launch_params", [[], "cpus", 5])
def test_parameters_that_are_no_json_object_are_refused(schema: Any, launch_params: Any) -> None:
    assert violations(schema, launch_params) == (f"{launch_params!r} is no JSON object",)


def test_a_name_that_is_no_string_is_refused() -> None:
    assert violations({}, {1: 2}) == ("1: the name is 1, which is no string",)


def test_parameters_that_are_nested_without_end_are_refused() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless

    assert violations({}, endless) == ("the parameters are nested too deeply",)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "integr"}, "the schema is no JSON schema: at type, 'integr'"),
        ({"properties": {"x": 5}}, "the schema is no JSON schema: at properties.x, 5"),
        ({"properties": {"x": {"pattern": "("}}}, "the schema is no JSON schema: at properties.x"),
        ({"properties": []}, "the schema is no JSON schema: at properties"),
        ([], "the schema: [] is no JSON object"),
        ({"default": {1}}, "the schema.default: {1} is nothing that JSON can say"),
        ({"$schema": "http://juggle"}, "the schema is of the unknown dialect 'http://juggle'"),
        ({"$schema": 5}, "the schema is of the unknown dialect 5"),
        ({"$ref": "#/$defs/x"}, "the schema refers to '/$defs/x'"),
        ({"$ref": "#"}, "the schema cannot be used: RecursionError"),
    ],
)
def test_a_broken_schema_is_named_as_such(schema: Any, reason: str) -> None:
    (violation,) = violations(schema, {"x": "1"})

    assert violation.startswith(reason)


@pytest.fixture
def impatient_sockets() -> Iterator[None]:
    """Let a connection that nobody answers fail soon."""
    socket.setdefaulttimeout(1)
    yield
    socket.setdefaulttimeout(None)


@pytest.mark.usefixtures("impatient_sockets")
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_nothing_is_fetched_for_a_schema(keyword: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"

        (violation,) = violations(of(x={keyword: address}), {"x": 1})

        with pytest.raises(BlockingIOError):
            server.accept()
    assert violation == (
        f"the schema refers to '{address}', which is not in it; nothing is fetched"
    )


@pytest.mark.parametrize(
    ("dialect", "fits"),
    [
        ("http://json-schema.org/draft-04/schema#", True),
        ("http://json-schema.org/draft-04/schema", True),
        ("http://json-schema.org/draft-07/schema#", False),
        ("https://json-schema.org/draft/2020-12/schema", False),
        (None, False),
    ],
)
def test_the_dialect_that_the_schema_names_is_used(dialect: str | None, fits: bool) -> None:
    # A boolean there is what draft 4 has, and no other.
    schema = of(cpus={"minimum": 0, "exclusiveMinimum": False, "type": "integer"})
    if dialect is not None:
        schema["$schema"] = dialect

    if fits:
        assert validate("spec/x", schema, {"cpus": 0}) == {"cpus": 0}
    else:
        assert "no JSON schema" in violations(schema, {"cpus": 0})[0]


INSECURE: Mapping[str, Any] = {
    "text": {"type": "string"},
    "text or null": {"type": ["string", "null"]},
    "anything": {},
    "true": True,
    "one character": {"type": "string", "maxLength": 1},
    "exact length": {"type": "string", "minLength": 37, "maxLength": 37},
    "any pattern": {"type": "string", "pattern": "^.*$"},
    "no spaces": {"type": "string", "pattern": "^[^ ]+$"},
    "format": {"type": "string", "format": "uri"},
    "alternative": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
    "reference": {"$ref": "#/$defs/text"},
    "list": {"type": "array", "items": {"type": "string"}},
    "long list": {"type": "array", "minItems": 3, "items": {"type": "string"}},
    "tuple": {"type": "array", "prefixItems": [CPUS, {"type": "string"}], "items": False},
    "object": {**of(a={"type": "string"}), "required": ["a", "b"], "additionalProperties": False},
    "open object": of(a=CPUS),
    "deep": {"allOf": [of(a=of(b={"$ref": "#/$defs/text"}))], "required": ["a"]},
}
SECURE: Mapping[str, Any] = {
    "integer": CPUS,
    "boolean": {"type": "boolean"},
    "enum": {"type": "string", "enum": ["a", "b"]},
    "const": {"const": "a"},
    "pattern": {"type": "string", "pattern": "^[a-z0-9_-]+$"},
    "empty": {"type": "string", "maxLength": 0},
    "reference": {"$ref": "#/$defs/standard"},
    "both": {"allOf": [{"type": "string"}, {"enum": ["a", "b"]}]},
    "alternative": {"oneOf": [{"const": "auto"}, {"type": "number"}]},
    "list": {"type": "array", "items": CPUS},
    "object": {**of(a=CPUS), "additionalProperties": False},
    "tree": {"$ref": "#/$defs/tree"},
    "never": False,
}
DEFINITIONS: Schema = {
    "text": {"type": "string"},
    "standard": {"enum": ["C++14", "C++17"]},
    "tree": {
        "type": "object",
        "properties": {"child": {"$ref": "#/$defs/tree"}},
        "additionalProperties": False,
    },
}


@pytest.mark.parametrize("name", INSECURE)
def test_a_parameter_that_can_be_any_text_is_insecure(name: str) -> None:
    schema = {**of(x=INSECURE[name]), "$defs": DEFINITIONS}

    assert insecure_parameters("spec/x", schema) == ("x",)


@pytest.mark.parametrize("name", SECURE)
def test_a_parameter_that_is_constrained_is_secure(name: str) -> None:
    schema = {**of(x=SECURE[name]), "$defs": DEFINITIONS}

    assert insecure_parameters("spec/x", schema) == ()


def test_a_kernel_type_without_a_schema_has_no_insecure_parameters() -> None:
    assert insecure_parameters("spec/x", None) == ()


def test_asking_a_broken_schema_for_its_insecure_parameters_is_an_error() -> None:
    with pytest.raises(LaunchParameterError, match="not in it"):
        insecure_parameters("spec/x", of(x={"$ref": "#/$defs/gone"}))


def test_an_insecure_parameter_is_refused_unless_it_is_allowed() -> None:
    schema = of(image={"type": "string", "default": "busybox"})

    (violation,) = violations(schema, {"image": "; rm"})

    assert violation.startswith("image: '; rm' is refused: ")
    assert validate("spec/x", schema, {"image": "; rm"}, allow_insecure=True) == {"image": "; rm"}


def test_the_default_of_an_insecure_parameter_is_used() -> None:
    schema = of(image={"type": "string", "default": "busybox"})

    assert validate("spec/x", schema) == {"image": "busybox"}


def test_an_insecure_parameter_without_a_default_is_refused_even_if_not_given() -> None:
    schema = of(image={"type": "string"})

    (violation,) = violations(schema)

    assert violation.startswith("image: there is no default to use")
    assert validate("spec/x", schema, allow_insecure=True) == {}


def test_a_parameter_that_is_not_declared_is_insecure() -> None:
    (violation,) = violations(of(cpus=CPUS), {"cpu": 1})

    assert violation.startswith("cpu: 1 is refused (declared are: cpus): ")
    assert validate("spec/x", of(cpus=CPUS), {"cpu": 1}, allow_insecure=True) == {"cpu": 1}


def test_parameters_that_are_not_declared_may_be_constrained() -> None:
    schema = {"patternProperties": {"^x_": {"type": "string"}}, "additionalProperties": CPUS}

    assert validate("spec/x", schema, {"whatever": 3}) == {"whatever": 3}
    assert violations(schema, {"whatever": "3", "x_y": "3"}) == (
        violations(schema, {"x_y": "3"})[0],
        "whatever: '3' is not of type 'integer'",
    )


def test_jsonschema_is_loaded_only_when_there_is_a_schema() -> None:
    code = (
        "import sys; from kernel_mgmt.parameters import validate; "
        "validate('x', None, {}); before = 'jsonschema' in sys.modules; "
        "validate('x', {}, {}); print(before, 'jsonschema' in sys.modules)"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert loaded.stdout.split() == [b"False", b"True"]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
names = st.sampled_from(["a", "b", "c", ""])
references = st.sampled_from(["#", "#/properties/a", "#/$defs/b", "#x", "http://[", "http://x", ""])
types = st.sampled_from(["string", "integer", "object", "array", "null", "text"])


def keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    named = st.dictionaries(names, inner, max_size=3)
    listed = st.lists(inner, min_size=1, max_size=2)
    number = st.integers(-1, 5) | st.floats()
    return st.fixed_dictionaries(
        {},
        optional={
            "type": types,
            "properties": named,
            "patternProperties": named,
            "$defs": named,
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": listed,
            "allOf": listed,
            "anyOf": listed,
            "oneOf": listed,
            "not": inner,
            "if": inner,
            "then": inner,
            "required": st.lists(names, unique=True),
            "enum": st.lists(json_values, min_size=1),
            "default": json_values,
            "$ref": references,
            "$id": references,
            "$schema": references,
            "$anchor": names,
            "$dynamicRef": references,
            "pattern": st.sampled_from(["a", "(", "^.*$", "\\p{L}"]),
            "minLength": number,
            "maxLength": number,
            "multipleOf": number,
            "minimum": number,
            "uniqueItems": st.booleans(),
        },
    )


schemas = st.recursive(st.booleans() | json_values | keywords(st.booleans()), keywords)


@settings(deadline=None)  # the first example loads jsonschema
@given(schema=schemas, launch_params=json_values, allow_insecure=st.booleans())
def test_whatever_the_schema_only_launch_parameter_errors_come_out(
    schema: Any, launch_params: Any, allow_insecure: bool
) -> None:
    before = deepcopy((schema, launch_params))

    with suppress(LaunchParameterError):
        validate("spec/x", schema, launch_params, allow_insecure=allow_insecure)
    with suppress(LaunchParameterError):
        insecure_parameters("spec/x", schema)

    assert repr((schema, launch_params)) == repr(before)
