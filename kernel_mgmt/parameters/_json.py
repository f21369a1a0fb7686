"""Tell JSON from other values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeGuard, cast


def is_dict(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def as_json(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Copy launch parameters into dicts and lists of its own; ``None`` if JSON cannot say them."""
    wrong: list[str] = []
    try:
        plain: dict[str, Any] = plain_json(params, "", wrong)
    except RecursionError:
        return None
    return None if wrong else plain


def plain_json(value: object, where: str, wrong: list[str]) -> Any:
    """Copy a value into dicts and lists of its own.

    :param where: the path to the value
    :param wrong: is added the paths of what JSON cannot say, and what it is
    """
    if isinstance(value, Mapping):
        copy: dict[str, Any] = {}
        for key, item in cast("Mapping[object, object]", value).items():
            path = f"{where}.{key}".removeprefix(".")
            if isinstance(key, str):
                copy[key] = plain_json(item, path, wrong)
            else:
                wrong.append(f"{path}: the name is {key!r}, which is no string")
        return copy
    if isinstance(value, list | tuple):
        items = enumerate(cast("list[object]", value))
        return [plain_json(item, f"{where}[{index}]", wrong) for index, item in items]
    if not (value is None or isinstance(value, str | int) or _is_finite(value)):
        wrong.append(f"{where}: {value!r} is nothing that JSON can say".removeprefix(": "))
    return value


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
