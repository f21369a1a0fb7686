"""Python, the libraries that kernel_mgmt needs, and its extras."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable
from importlib import metadata

from kernel_mgmt.cli._doctor._findings import Finding, ok, problem

_DISTRIBUTION = "kernel-mgmt"
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""\bextra\s*==\s*["']([^"']+)["']""")
# These are for those who work on kernel_mgmt itself.
_FOR_DEVELOPMENT = {"benchmark", "docs", "lint", "test"}


def check_python() -> Finding:
    """Tell which Python this is."""
    return ok(f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")


def check_libraries(requirements: Iterable[str] | None = None) -> Finding:
    """Tell the versions of the libraries that kernel_mgmt cannot do without.

    :param requirements: as the metadata of a distribution has them
    """
    needed = [_name(text) for text in _requirements(requirements) if not _EXTRA.search(text)]
    versions = {name: _version(name) for name in needed}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return problem(f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    return ok(", ".join(f"{name} {version}" for name, version in versions.items()))


def check_extras(requirements: Iterable[str] | None = None) -> Finding:
    """Tell which extras are installed completely.

    :param requirements: as the metadata of a distribution has them
    """
    missing: dict[str, list[str]] = {}
    for text in _requirements(requirements):
        extra = _EXTRA.search(text)
        if extra is not None and extra[1] not in _FOR_DEVELOPMENT:
            lacking = missing.setdefault(extra[1], [])
            if _version(_name(text)) is None:
                lacking.append(_name(text))
    told = [
        f"{extra} lacks {', '.join(names)} (pip install '{_DISTRIBUTION}[{extra}]')"
        if names
        else f"{extra} is complete"
        for extra, names in missing.items()
    ]
    return ok("; ".join(told) or "there are none")


def _requirements(given: Iterable[str] | None) -> Iterable[str]:
    if given is not None:
        return given
    try:
        return metadata.requires(_DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return ()


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    return match[0] if match else requirement


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
