"""Finding kernelspecs along a search path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from os import PathLike

from kernel_mgmt.exceptions import KernelSpecError, NoSuchKernelError
from kernel_mgmt.paths import kernel_search_path
from kernel_mgmt.types import Problem

from ._directory import Directory, Entry, fold, is_valid_name
from ._read import explain
from ._spec import KernelSpec


class KernelSpecFinder:
    """Finds kernelspecs in the directories of a search path.

    The first directory that has a kernelspec of a name has precedence, also when that one turns
    out to be unusable. Names compare without case. What was read is remembered until it changes:
    a listing looks at each ``kernel.json`` once, and reads those that are new. A finder may be
    used from several threads.

    :ivar search_path: the directories that are searched
    :ivar problems: what the last :meth:`find` could not return, or found odd
    """

    problems: tuple[Problem, ...]

    def __init__(
        self,
        search_path: Iterable[str | PathLike[str]] | None = None,
        *,
        kernel_file: str = "kernel.json",
        provider: str = "spec",
    ) -> None:
        """Take note of where to look; nothing is read yet.

        :param search_path: the directories to search; Jupyter's when ``None``
        :param kernel_file: the file that makes a folder a kernelspec
        :param provider: the id of the provider that the problems concern
        """
        directories = kernel_search_path() if search_path is None else search_path
        self.search_path = tuple(dict.fromkeys(os.path.abspath(path) for path in directories))
        self.problems = ()
        self._directories = [Directory(path, kernel_file, provider) for path in self.search_path]

    def find(self) -> list[KernelSpec]:
        """Return every kernelspec that can be used, those of a directory in order of their names."""
        found, problems = self._scan()
        self.problems = tuple(problems)
        return [entry.spec for entry in found.values() if entry.spec is not None]

    def get(self, name: str) -> KernelSpec:
        """Return the kernelspec of a name, without a listing.

        :raises NoSuchKernelError: if there is none
        :raises KernelSpecError: if there is one, and it cannot be used
        """
        entry = self._look_up(name)
        if entry.error is not None:
            raise KernelSpecError(entry.path, explain(entry.error)) from entry.error
        assert entry.spec is not None
        return entry.spec

    def locate(self, name: str) -> str:
        """Return the folder of the kernelspec of a name, whether or not it can be used.

        :raises NoSuchKernelError: if there is none
        :raises KernelSpecError: if what there is under the name is no kernelspec
        """
        return os.path.dirname(self._look_up(name).path)

    def locate_all(self, name: str) -> list[str]:
        """Return the folders of all kernelspecs of a name, whether or not they can be used.

        The first has precedence, and the others are those that it hides.
        """
        key = fold(name)
        if not is_valid_name(key):
            return []
        entries = (directory.look_up(key) for directory in self._directories)
        return [os.path.dirname(entry.path) for entry in entries if entry is not None]

    def _look_up(self, name: str) -> Entry:
        key = fold(name)
        if is_valid_name(key):
            for directory in self._directories:
                entry = directory.look_up(key)
                if entry is not None:
                    return entry
        raise self._explain_absence(name, key)

    def _explain_absence(self, name: str, key: str) -> KernelSpecError | NoSuchKernelError:
        found, problems = self._scan()
        for problem in problems:
            if problem.name == key and problem.path is not None:
                error = KernelSpecError(problem.path, problem.reason)
                error.__cause__ = problem.exception
                return error
        return NoSuchKernelError(
            name, [known for known, entry in found.items() if entry.spec is not None]
        )

    def _scan(self) -> tuple[dict[str, Entry], list[Problem]]:
        found: dict[str, Entry] = {}
        problems: list[Problem] = []
        for directory in self._directories:
            directory.scan(found, problems)
        return found, problems
