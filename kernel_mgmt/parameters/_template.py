"""Fill in the ``{placeholders}`` of a kernel's argv and env."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

_NAME = "[A-Za-z0-9_]+"
_PLACEHOLDER = rf"(?<!{{){{{{(?P<literal>{_NAME})}}}}(?!}})|{{(?P<name>{_NAME})}}"
_IN_ARGV = re.compile(_PLACEHOLDER)
_IN_ENV = re.compile(rf"\${{(?P<variable>[A-Za-z_][A-Za-z0-9_]*)}}|{_PLACEHOLDER}")


def fill_argv(argv: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """Fill in the placeholders of each argument.

    ``{name}`` becomes the value of that name: a string as it is, anything else in JSON (``true``,
    ``[1, 2]``), a path as its string. What has no value stays as it is, and so do all other
    braces. ``{{name}}`` is ``{name}`` itself, where ``{name}`` would be filled in. A value is not
    searched for placeholders.

    :param values: the launch parameters, and over them what the system owns; ``None`` is no value
    """
    return [_IN_ARGV.sub(lambda match: _placeholder(match, values), item) for item in argv]


def fill_env(
    env: Mapping[str, str], values: Mapping[str, object], environ: Mapping[str, str]
) -> dict[str, str]:
    """Fill in the placeholders and the ``${VARIABLES}`` of each value of the environment.

    Placeholders are as in :func:`fill_argv`; a variable that does not exist stays as it is.

    :param environ: where the variables are looked up
    """

    def replacement(match: re.Match[str]) -> str:
        if (variable := match["variable"]) is not None:
            return environ.get(variable, match[0])
        return _placeholder(match, values)

    return {name: _IN_ENV.sub(replacement, value) for name, value in env.items()}


def _placeholder(match: re.Match[str], values: Mapping[str, object]) -> str:
    value = values.get(match["literal"] or match["name"])
    if value is None:
        return match[0]
    return match[0][1:-1] if match["literal"] else _text(value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)
