"""What a JSON schema says of launch parameters, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

__all__ = ("as_mapping", "constraints", "in_words", "type_in_words")

_WORDS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("minimum", "at least {}".format),
    ("exclusiveMinimum", "more than {}".format),
    ("maximum", "at most {}".format),
    ("exclusiveMaximum", "less than {}".format),
    ("multipleOf", "a multiple of {}".format),
    ("minLength", "{} characters or more".format),
    ("maxLength", "{} characters or fewer".format),
    ("pattern", "matches {}".format),
    ("format", "format {}".format),
    ("minItems", "{} items or more".format),
    ("maxItems", "{} items or fewer".format),
)


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object as it is, and for anything else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def in_words(schema: object, *, required: bool = False) -> str:
    """Describe one launch parameter: its type, its constraints and its default."""
    words = [type_in_words(schema), *constraints(schema)]
    told = as_mapping(schema)
    if "default" in told:
        words.append(f"default {_shown(told['default'])}")
    elif required:
        words.append("required")
    return ", ".join(words)


def type_in_words(schema: object) -> str:
    """Name the type of a launch parameter, or say which values it may have."""
    told = as_mapping(schema)
    if "const" in told:
        return f"always {_shown(told['const'])}"
    values: object = told.get("enum")
    if isinstance(values, list):
        return "one of " + " | ".join(map(_shown, cast("list[object]", values)))
    kind: object = told.get("type")
    if isinstance(kind, list):
        return " or ".join(map(str, cast("list[object]", kind)))
    return kind if isinstance(kind, str) else "any value"


def constraints(schema: object) -> list[str]:
    """Say how the values of a launch parameter are constrained, besides by their type."""
    told = as_mapping(schema)
    return [say(_bare(told[key])) for key, say in _WORDS if key in told]


def _bare(value: object) -> str:
    return value if isinstance(value, str) else _shown(value)


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
