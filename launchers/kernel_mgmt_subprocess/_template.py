"""Fill in the ``{placeholders}`` of a kernel's argv and env."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence

_PLACEHOLDER = re.compile(r"\{(?P<name>[A-Za-z0-9_]+)\}")
_VARIABLE_OR_PLACEHOLDER = re.compile(
    r"\$\{(?P<variable>[A-Za-z_][A-Za-z0-9_]*)\}|" + _PLACEHOLDER.pattern
)
_PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")


def fill_argv(argv: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """Fill in the placeholders of each argument; one that is not in ``values`` stays.

    A bare ``python``, ``python3`` or ``python3.X`` of the running version becomes the running
    interpreter.
    """
    filled = [_PLACEHOLDER.sub(lambda match: _placeholder(match, values), item) for item in argv]
    if filled and filled[0] in _PYTHON_NAMES and sys.executable:
        filled[0] = sys.executable
    return filled


def fill_env(
    env: Mapping[str, str], values: Mapping[str, object], environ: Mapping[str, str]
) -> dict[str, str]:
    """Fill in the placeholders and the ``${VARIABLES}`` of each value; an unknown one stays.

    :param environ: where the variables are looked up
    """

    def replacement(match: re.Match[str]) -> str:
        if (variable := match["variable"]) is not None:
            return environ.get(variable, match[0])
        return _placeholder(match, values)

    return {name: _VARIABLE_OR_PLACEHOLDER.sub(replacement, value) for name, value in env.items()}


def _placeholder(match: re.Match[str], values: Mapping[str, object]) -> str:
    value = values.get(match["name"], match[0])
    return value if isinstance(value, str) else json.dumps(value)
