"""Launch parameters as they are typed: texts, which the schema of the kernel type gives a type."""

from __future__ import annotations

import json
import signal
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, cast

import click

from kernel_mgmt.parameters._json import is_dict, is_list, is_mapping

from ._status import CommandError, Status
from ._terminal import has_user

__all__ = ("ask_for_missing", "read_parameters", "type_of_text")

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "array": list,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}
_WORDS: Mapping[str, object] = {"true": True, "yes": True, "false": False, "no": False}


def read_parameters(path: Path) -> dict[str, Any]:
    """Read launch parameters from a file: TOML if it is called so, and JSON else.

    :raises CommandError: if it cannot be read, or holds something else
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = _parse_toml(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise CommandError(
            f"The parameters in {path} are unreadable: {error}", Status.USAGE
        ) from error
    if not isinstance(values, dict):
        raise CommandError(f"{path} holds no table of parameters", Status.USAGE)
    return cast("dict[str, Any]", values)


def type_of_text(schema: Mapping[str, Any] | None, name: str, text: str) -> object:
    """Return the value that is meant by a text, as the schema of its parameter has it.

    A text that fits no type of the schema stays one: the check of the parameters says what is wrong.

    :param schema: that of all launch parameters of the kernel type, if it has one
    """
    rule = _rule(schema, name)
    for choice in (*_list_of(rule, "enum"), *((rule["const"],) if "const" in rule else ())):
        if text == _as_text(choice):
            return choice
    kinds = _list_of(rule, "type") or [rule.get("type", "string")]
    for value in _readings(text):
        if any(_is_of(value, kind) for kind in kinds):
            return value
    return text


def ask_for_missing(schema: Mapping[str, Any] | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with those that are required and have no default, asked for one by one.

    Nothing is asked unless there is a terminal to answer at.
    """
    missing = [name for name in _required(schema) if name not in given]
    if not missing or not has_user():
        return given
    with _ctrl_c_raises():
        return given | {name: _ask(schema, name) for name in missing}


def _ask(schema: Mapping[str, Any] | None, name: str) -> object:
    rule = _rule(schema, name)
    about = rule.get("description") or rule.get("title")
    choices = [_as_text(choice) for choice in _list_of(rule, "enum")]
    text: str = click.prompt(
        f"{name} ({about})" if about else name,
        type=click.Choice(choices) if choices else str,
        err=True,
    )
    return type_of_text(schema, name, text)


@contextmanager
def _ctrl_c_raises() -> Generator[None]:
    # The handler of an event loop would only cancel the task that waits here for an answer.
    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _required(schema: object) -> list[str]:
    required = [name for name in _list_of(schema, "required") if isinstance(name, str)]
    return [name for name in required if "default" not in _rule(schema, name)]


def _rule(schema: object, name: str) -> dict[str, Any]:
    """Return what the schema says of one parameter, a reference followed."""
    rule = _dict_of(_dict_of(schema, "properties"), name)
    _, place, target = [*str(rule.get("$ref", "")).split("/"), "", "", ""][:3]
    return _dict_of(_dict_of(schema, place), target) | rule


# The schema is a stranger's, and is checked only after it was used here.
def _dict_of(schema: object, key: str) -> dict[str, Any]:
    found = schema.get(key) if is_mapping(schema) else None
    return found if is_dict(found) else {}


def _list_of(schema: object, key: str) -> list[Any]:
    found = schema.get(key) if is_mapping(schema) else None
    return found if is_list(found) else []


def _readings(text: str) -> Iterator[object]:
    with suppress(ValueError, RecursionError):
        value: object = json.loads(text)
        # A quoted text is what it says, with its quotes.
        if not isinstance(value, str):
            yield value
    if text.lower() in _WORDS:
        yield _WORDS[text.lower()]
    yield text


def _is_of(value: object, kind: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(kind, str) and isinstance(value, _TYPES.get(kind, ()))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parse_toml(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)
