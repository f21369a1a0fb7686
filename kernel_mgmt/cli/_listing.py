"""What the commands that tell of kernel types have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from kernel_mgmt.discovery._faults import describe, show

from ._terminal import on_one_line, say

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes, Problem

__all__ = (
    "as_json",
    "describe",
    "kernel_as_json",
    "parameters_of",
    "place",
    "problem_as_json",
    "shorten",
    "tell_problems",
)

_KEYS = (
    "display_name",
    "language",
    "language_info",
    "argv",
    "env",
    "resource_dir",
    "interrupt_mode",
    "metadata",
    "kernel_protocol_version",
    "launch_parameters",
    "origin",
    "resources",
)


def as_json(value: object) -> Any:
    """Return a value of a stranger as JSON has it, with the repr of what it has no form for.

    :raises ValueError: if there is a number in it that is none, or it is in a circle
    :raises RecursionError: if it is nested too deeply
    """
    import json

    return json.loads(json.dumps(value, skipkeys=True, default=show, allow_nan=False))


def kernel_as_json(name: str, attributes: KernelAttributes) -> dict[str, Any] | None:
    """Return a kernel type as the JSON of the commands has it: each key is there, or ``null``.

    One that is not JSON is told on stderr, and is ``None``.
    """
    provider_id, _, kernel_name = name.partition("/")
    told = {"provider": provider_id, "name": kernel_name, **dict.fromkeys(_KEYS), **attributes}
    try:
        return cast("dict[str, Any]", as_json(told))
    except (ValueError, RecursionError) as error:
        say(on_one_line(f"{name}: its attributes are not JSON: {describe(error)}"))
        return None


def problem_as_json(problem: Problem) -> dict[str, str | None]:
    """Return a problem as the JSON of the commands has it."""
    keys = ("provider", "name", "path", "distribution", "reason", "fix")
    return {key: getattr(problem, key) for key in keys}


def tell_problems(problems: Iterable[Problem]) -> None:
    """Tell problems on stderr, one on each line."""
    for problem in problems:
        say(on_one_line(str(problem)))


def parameters_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of each launch parameter that a kernel type declares, by its name."""
    schema: Mapping[str, Any] = attributes.get("launch_parameters") or {}
    declared: object = schema.get("properties")
    if not isinstance(declared, Mapping):
        return {}
    return {str(name): part for name, part in cast("Mapping[object, Any]", declared).items()}


def place(attributes: Mapping[str, Any]) -> str:
    """Return where a kernel type comes from, with ``~`` for the home directory."""
    return shorten(attributes.get("resource_dir") or attributes.get("origin") or "")


def shorten(path: str) -> str:
    """Return a path with ``~`` for the home directory."""
    home = os.path.join(os.path.expanduser("~"), "")
    return os.path.join("~", path.removeprefix(home)) if path.startswith(home) else path
