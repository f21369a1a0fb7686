"""Read a JSON schema of launch parameters: its parts, its defaults, what it leaves open."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote

from ._json import is_dict, is_list, plain_json

Schema: TypeAlias = Any  # a dict, or a bool, or what a schema should not be

# A schema that takes both of these as they are does not constrain text. No line end is in them:
# "^.*$" would not match it, and constrains nothing all the same.
_HOSTILE = ("; $(x) `y` | & < > ' \" \\ / .. -- é ", ";$(x)`y`|&<>'\"\\/..--é")
_LENGTHS = (1, 8, 64)
_LONGEST = 4096


class Checker(Protocol):
    """What is asked here of a validator of jsonschema."""

    def evolve(self, *, schema: Schema) -> Checker: ...

    def is_valid(self, instance: Any) -> bool: ...


def add_defaults(value: object, schema: Schema, root: Schema) -> None:
    """Put in the defaults of what is missing, at any depth of what is there.

    They are those of ``properties`` and ``items``, also through ``allOf`` and a ``$ref`` within
    the schema; a default under ``anyOf``, ``oneOf`` or ``if`` may not be meant, and is left.
    """
    for part in _unconditional_parts(schema, root):
        if is_dict(value):
            _add_defaults_to_dict(value, part, root)
        elif is_list(value) and is_dict(part.get("items")):
            for item in value:
                add_defaults(item, part["items"], root)


def _add_defaults_to_dict(value: dict[str, Any], schema: dict[str, Any], root: Schema) -> None:
    for name, subschema in _dict(schema.get("properties")).items():
        if name not in value:
            for part in _unconditional_parts(subschema, root):
                if "default" in part:
                    value[name] = plain_json(part["default"], "", [])
                    break
        if name in value:
            add_defaults(value[name], subschema, root)


def open_to_any_text(validator: Checker, root: Schema, name: str) -> bool:
    """Whether a parameter, or a part of it, can be any text whatever.

    A few texts that no constraint would let pass are tried, so that it does not matter how a
    schema constrains.
    """
    lengths = {*_LENGTHS, *(length for length in _lengths(root) if 0 < length <= _LONGEST)}
    texts = [(text * length)[:length] for text in _HOSTILE for length in sorted(lengths)]
    probes = [probe for text in texts for probe in (text, [text], {text: text})]
    pending, seen = [_schema_of(root, name)], set[int]()
    while pending:
        schema = pending.pop()
        checker = validator.evolve(schema=schema)
        if any(checker.is_valid(probe) for probe in probes):
            return True
        pending += [part for part in _inner_schemas(schema, root, seen) if part is not False]
    return False


def _schema_of(root: Schema, name: str) -> Schema:
    properties = _dict(_dict(root).get("properties"))
    patterns = _dict(_dict(root).get("patternProperties"))
    schemas = [properties[name]] if name in properties else []
    schemas += [schema for pattern, schema in patterns.items() if re.search(pattern, name)]
    return {"allOf": schemas} if schemas else _dict(root).get("additionalProperties", True)


def _inner_schemas(schema: Schema, root: Schema, seen: set[int]) -> Iterator[Schema]:
    """Yield the schemas of what is inside a value of this one."""
    if not is_dict(schema) or id(schema) in seen:
        return
    seen.add(id(schema))
    for keyword in ("properties", "patternProperties"):
        yield from _dict(schema.get(keyword)).values()
    for keyword in ("additionalProperties", "items", "prefixItems", "additionalItems"):
        part = schema.get(keyword, False)
        yield from part if is_list(part) else [part]
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, []):
            yield from _inner_schemas(part, root, seen)
    for keyword in ("then", "else"):
        yield from _inner_schemas(schema.get(keyword), root, seen)
    yield from _inner_schemas(_referenced(schema, root), root, seen)


def _lengths(schema: Schema) -> Iterator[int]:
    if is_dict(schema):
        for keyword, part in schema.items():
            if keyword in ("minLength", "maxLength") and isinstance(part, int):
                yield part
            yield from _lengths(part)
    elif is_list(schema):
        for part in schema:
            yield from _lengths(part)


def _unconditional_parts(schema: Schema, root: Schema) -> Iterator[dict[str, Any]]:
    if is_dict(schema):
        yield schema
        for part in (_referenced(schema, root), *schema.get("allOf", [])):
            yield from _unconditional_parts(part, root)


def _referenced(schema: dict[str, Any], root: Schema) -> Schema:
    """Return the part of the root that a ``$ref`` points to by its place; ``None`` if none."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for step in unquote(reference[1:]).split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(step)] if is_list(found) else found[step]
        except (LookupError, TypeError, ValueError):
            return None
    return found if found is not schema else None


def _dict(value: Any) -> dict[str, Any]:
    return value if is_dict(value) else {}
