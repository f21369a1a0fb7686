"""Bring what providers tell about their kernel types into one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, TypeGuard, cast

from kernel_mgmt.types import JSONDict, KernelAttributes

from ._faults import show

_SCHEMA_KEYS = ("parameters", "launch_parameter_schema")


def normalise(
    name: str, told: Mapping[str, Any], report: Callable[[str], object]
) -> KernelAttributes:
    """Return the attributes of a kernel type in the shape of :class:`KernelAttributes`.

    What is missing gets its default; what is of the wrong type is reported, and counts as missing.
    Keys besides the known ones stay as they are. What was told is not changed.

    :param name: the name of the kernel type within its provider
    :param told: what the provider tells
    :param report: called with a sentence about each thing that is not as it should be
    """
    shaped: JSONDict = {}
    for key, value in told.items():
        shape = _SHAPES.get(key)
        if shape is None:
            shaped[key] = value
        elif value is not None:
            try:
                shaped[key] = shape(value)
            except TypeError as error:
                report(f"{key} should be {error}, and is {show(value)}")
    return _complete(name, shaped)


def is_sequence_of_strings(value: object) -> TypeGuard[Sequence[str]]:
    """Tell whether a value is a list or tuple with nothing but strings in it."""
    if not isinstance(value, list | tuple):
        return False
    return all(isinstance(item, str) for item in cast("Sequence[object]", value))


def _complete(name: str, shaped: JSONDict) -> KernelAttributes:
    if not shaped.get("display_name"):
        shaped["display_name"] = name
    _complete_language(shaped)
    shaped.setdefault("env", {})
    shaped.setdefault("interrupt_mode", "signal")
    metadata: JSONDict = shaped.setdefault("metadata", {})
    if "launch_parameters" not in shaped:
        for key in _SCHEMA_KEYS:
            if key in metadata and isinstance(metadata[key], dict):
                shaped["launch_parameters"] = metadata[key]
                break
    return cast("KernelAttributes", shaped)


def _complete_language(shaped: JSONDict) -> None:
    """Give the language its name in both places: providers tell either, and in either form."""
    info: JSONDict = shaped.setdefault("language_info", {})
    language = shaped.get("language")
    if isinstance(language, dict):
        info.update(cast("JSONDict", language))
        language = None
    named = info.get("name")
    if not language:
        language = named if isinstance(named, str) else ""
    shaped["language"] = language
    if named != language:
        info["name"] = language


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError("a string")


def _path(value: object) -> str:
    if isinstance(value, str | PathLike):
        return _text(fspath(cast("str | PathLike[str]", value)))
    raise TypeError("a path")


def _mapping(value: object) -> JSONDict:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise TypeError("a mapping")


def _argv(value: object) -> list[str]:
    if is_sequence_of_strings(value):
        return list(value)
    raise TypeError("a list of strings")


def _env(value: object) -> dict[str, str]:
    env = _mapping(value)
    if all(isinstance(text, str) for item in env.items() for text in item):
        return env
    raise TypeError("a mapping of strings to strings")


def _interrupt_mode(value: object) -> str:
    mode = value.lower() if isinstance(value, str) else ""
    if mode in {"signal", "message"}:
        return mode
    raise TypeError("'signal' or 'message'")


def _language(value: object) -> str | JSONDict:
    return value if isinstance(value, str) else _mapping(value)


def _language_info(value: object) -> JSONDict:
    return {"name": value} if isinstance(value, str) else _mapping(value)


_SHAPES: dict[str, Callable[[object], object]] = {
    "display_name": _text,
    "language": _language,
    "language_info": _language_info,
    "argv": _argv,
    "env": _env,
    "resource_dir": _path,
    "interrupt_mode": _interrupt_mode,
    "metadata": _mapping,
    "kernel_protocol_version": _text,
    "launch_parameters": _mapping,
}
