"""Read the entry points of providers from the files of the usual installations.

importlib_metadata reads them from any, but to import it alone takes as long as a whole listing. What
is not plain folders in the directories of ``sys.path`` is left to it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

_NAME_OF_VALUE = re.compile(r"([\w.]+)\s*(?::\s*([\w.]+)\s*)?(?:\[.*\]\s*)?")
_SEPARATORS = re.compile(r"[-_.]+")


class UnusualError(Exception):
    """Raised when something is installed in a way that is not known here."""


class ScannedEntryPoint:
    """An entry point, whose distribution is read when it is asked for."""

    def __init__(self, name: str, value: str, group: str, metadata_dir: str) -> None:
        self.name = name
        self.value = value
        self.group = group
        self._metadata_dir = metadata_dir

    @property
    def dist(self) -> Any:
        """The distribution, as importlib_metadata has it."""
        from pathlib import Path

        import importlib_metadata

        return importlib_metadata.PathDistribution(Path(self._metadata_dir))

    def load(self) -> Any:
        """Import what the entry point names."""
        match = _NAME_OF_VALUE.fullmatch(self.value)
        if match is None:
            raise ValueError(f"{self.value!r} is no reference to an object")
        loaded: Any = import_module(match[1])
        for attribute in filter(None, (match[2] or "").split(".")):
            loaded = getattr(loaded, attribute)
        return loaded


def scan(
    groups: Iterable[str],
    path: Iterable[str] | None = None,
    finders: Iterable[object] | None = None,
) -> list[ScannedEntryPoint]:
    """Return the entry points of some groups.

    :param path: where to look; ``sys.path`` by default
    :param finders: what may know of distributions elsewhere; ``sys.meta_path`` by default
    :raises UnusualError: if there may be more, or something cannot be read
    """
    for finder in sys.meta_path if finders is None else finders:
        if hasattr(finder, "find_distributions") and not _is_usual(finder):
            raise UnusualError(f"{finder!r} finds distributions, too")
    wanted = tuple(groups)
    return [
        entry_point
        for metadata_dir in _metadata_dirs(sys.path if path is None else path)
        for entry_point in _entry_points(metadata_dir, wanted)
    ]


def _is_usual(finder: object) -> bool:
    module: str = getattr(finder, "__module__", "")
    return module in ("_frozen_importlib_external", "importlib_metadata")


def _metadata_dirs(path: Iterable[str]) -> Iterator[str]:
    """Yield the folder of each distribution; the first of a name hides the others."""
    seen: set[str] = set()
    for directory in dict.fromkeys(path):
        for folder in _list(directory or "."):
            stem, extension = os.path.splitext(folder.lower())
            if extension == ".egg":
                raise UnusualError(f"{folder} in {directory} is an egg")
            if extension in (".dist-info", ".egg-info"):
                name = _SEPARATORS.sub("-", stem.partition("-")[0])
                if name not in seen:
                    seen.add(name)
                    yield os.path.join(directory, folder)


def _list(directory: str) -> list[str]:
    if directory.endswith(".egg"):
        raise UnusualError(f"{directory} is an egg")
    try:
        return os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        # It may be an archive.
        raise UnusualError(f"{directory} cannot be listed") from error


def _entry_points(metadata_dir: str, groups: tuple[str, ...]) -> Iterator[ScannedEntryPoint]:
    try:
        with open(os.path.join(metadata_dir, "entry_points.txt"), encoding="utf-8") as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        raise UnusualError(f"the entry points in {metadata_dir} cannot be read") from error
    if not any(group in text for group in groups):
        return
    for group, name, value in _parse(text):
        if group in groups:
            yield ScannedEntryPoint(name, value, group, metadata_dir)


def _parse(text: str) -> Iterator[tuple[str, str, str]]:
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
        elif line and not line.startswith("#"):
            name, equals, value = map(str.strip, line.partition("="))
            if not equals or not _NAME_OF_VALUE.fullmatch(value):
                raise UnusualError(f"{line!r} is no entry point")
            yield group, name, value
