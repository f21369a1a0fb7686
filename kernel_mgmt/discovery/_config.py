"""The configuration of finders and providers, from ``kernel_mgmt.toml`` or from a mapping."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, cast

from kernel_mgmt.types import Problem

from ._attributes import is_sequence_of_strings
from ._faults import describe, show

FILE_NAME = "kernel_mgmt.toml"
_FINDER = "KernelFinder"


class Configuration:
    """A configuration, and what is wrong with it.

    ::

        default_kernel = "spec/python3"
        allow = ["spec/*", "gateway/*"]
        deny = ["spec/bash"]

        [providers.gateway]
        url = "https://example.org"

    The section of a provider may also stand at the top, under its id or the name of its class, and
    the settings of the finder under ``KernelFinder``: a traitlets ``Config`` has them like that.
    """

    def __init__(self, config: Mapping[str, Any], problems: Iterable[Problem] = ()) -> None:
        self.config = config
        self.problems = list(problems)

    def section(self, provider_id: str, class_name: str) -> Mapping[str, Any] | None:
        """Return the section of a provider, if there is one."""
        places = (
            (self.config.get("providers"), provider_id),
            (self.config, provider_id),
            (self.config, class_name),
        )
        sections = (_section(place, name) for place, name in places)
        return next((section for section in sections if section is not None), None)

    def text(self, key: str, variable: str, given: str | None) -> str | None:
        """Return a setting: what is given, or else the environment variable, or the configured."""
        found = given or os.environ.get(variable) or self._setting(key)
        if found is None or isinstance(found, str):
            return found
        self._report(f"{key} should be a string, and is {show(found)}")
        return None

    def switch(self, key: str, given: bool | None) -> bool:
        """Return a setting that is on or off: what is given, or else the configured."""
        found = self._setting(key) if given is None else given
        if found is None or isinstance(found, bool):
            return bool(found)
        self._report(f"{key} should be true or false, and is {show(found)}")
        return False

    def patterns(
        self, key: str, variable: str, given: Iterable[str] | None
    ) -> tuple[str, ...] | None:
        """Return patterns: what is given, or else the environment variable, or the configured.

        The variable holds them with commas or blanks between.
        """
        if given is not None:
            return (given,) if isinstance(given, str) else tuple(given)
        if in_environment := os.environ.get(variable, "").replace(",", " ").split():
            return tuple(in_environment)
        found = self._setting(key)
        if isinstance(found, str):
            return (found,)
        if found is None:
            return None
        if is_sequence_of_strings(found):
            return tuple(found)
        self._report(f"{key} should be a list of strings, and is {show(found)}")
        return None

    def _setting(self, key: str) -> object:
        section = _section(self.config, _FINDER) or {}
        return self.config.get(key, section.get(key))

    def _report(self, reason: str) -> None:
        self.problems.append(Problem(FILE_NAME, reason))


def read_configuration(directories: Iterable[str | PathLike[str]]) -> Configuration:
    """Read the ``kernel_mgmt.toml`` of each directory; what stands in an earlier one holds.

    :return: the configuration without the files that cannot be read, and a problem for each
    """
    merged: dict[str, Any] = {}
    problems: list[Problem] = []
    for directory in directories:
        path = os.path.join(directory, FILE_NAME)
        try:
            with open(path, "rb") as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problems.append(_unreadable(path, error))
            continue
        try:
            merged = _merge(_parse(content), merged)
        except (ValueError, RecursionError) as error:
            problems.append(_unreadable(path, error))
    return Configuration(merged, problems)


def _parse(content: bytes) -> dict[str, Any]:
    import tomllib

    # Some editors of Windows begin a file with a byte order mark.
    return tomllib.loads(content.decode("utf-8-sig"))


def _merge(lower: dict[str, Any], higher: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for key, value in higher.items():
        below = merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _merge(cast("dict[str, Any]", below), cast("dict[str, Any]", value))
        else:
            merged[key] = value
    return merged


def _section(mapping: object, key: str) -> Mapping[str, Any] | None:
    if not isinstance(mapping, Mapping):
        return None
    section = cast("Mapping[str, Any]", mapping).get(key)
    return cast("Mapping[str, Any]", section) if isinstance(section, Mapping) else None


def _unreadable(path: str, error: Exception) -> Problem:
    reason = f"it cannot be read: {describe(error)}"
    return Problem(FILE_NAME, reason, path=path, fix="correct or remove it", exception=error)
