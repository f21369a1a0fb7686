"""The names under which Jupyter's programs know the kernel types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import count

__all__ = ("jupyter_names",)

# What kernelspecs may be called (JEP 105); a slash is not in it.
_ELSE = re.compile(r"[^a-z0-9._-]+")
_PLAIN = "spec/"


def jupyter_names(
    kernel_types: Iterable[str], held: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """Give each kernel type a name that Jupyter can use.

    Those of the provider ``spec`` keep their own. Others are ``provider.name``, with a number where
    that is taken. Which kernel type a name stands for can only be looked up.

    :param held: the kernel types that have names already, by the names
    :return: the kernel types by the names, in the order that they came in
    """
    ordered = list(kernel_types)
    names = {name: name.removeprefix(_PLAIN) for name in ordered if name.startswith(_PLAIN)}
    taken = set(names.values())
    for name, kernel_type in (held or {}).items():
        if name not in taken and kernel_type not in names:
            names[kernel_type] = name
        taken.add(name)
    # Sorted, so that a number does not go to another with the next listing.
    for kernel_type in sorted(set(ordered) - set(names)):
        names[kernel_type] = _free(_readable(kernel_type), taken)
        taken.add(names[kernel_type])
    return {names[kernel_type]: kernel_type for kernel_type in ordered}


def _readable(kernel_type: str) -> str:
    return _ELSE.sub("-", kernel_type.lower().replace("/", ".", 1)).strip("-")


def _free(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    return next(numbered for n in count(2) if (numbered := f"{name}-{n}") not in taken)
