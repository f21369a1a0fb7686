"""One directory of the search path, and what is remembered of it."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable
from typing import NamedTuple

from kernel_mgmt.types import Problem

from ._read import explain, read_kernel_file
from ._spec import KernelSpec, UnusableError

# Two changes within one tick of a file system's clock have the same time stamp, so that what has
# been changed as lately as this is read again at the next look. The clocks of Linux and Windows
# tick at least every 16 ms; some file systems keep whole seconds, FAT only the even ones.
_TICK_NS = 20_000_000
_COARSE_TICK_NS = 2_000_000_000

# A leading dot marks what is not for show, such as a kernelspec that is being installed.
_match_name = re.compile(r"[a-z0-9_-][a-z0-9._-]*", re.IGNORECASE | re.ASCII).fullmatch
NAME_RULE = (
    "the name of a kernelspec may have letters of the English alphabet, digits, '.', '_' and '-', "
    "and begins with no '.'"
)


def fold(name: str) -> str:
    """Return what is the same for names that differ by case alone."""
    # Some other letters have one of A to Z as their lower case: the sign of the kelvin is one.
    return name.lower() if name.isascii() else name


def is_valid_name(name: str) -> bool:
    """Tell whether a kernelspec may have this name."""
    return _match_name(name) is not None


# Named tuples, since a dataclass would cost each process that lists kernels a millisecond.
class Entry(NamedTuple):
    """What is known of one ``kernel.json``: its kernelspec, or the error that there is instead."""

    path: str
    signature: tuple[int, int, int] | None
    spec: KernelSpec | None
    problems: tuple[Problem, ...]
    error: Exception | None = None


class _Names(NamedTuple):
    """The names in a directory, good for as long as the signature of the directory is the same."""

    signature: tuple[int, ...] | None
    lower_case: dict[str, str]
    other_case: dict[str, str]
    pairs: tuple[tuple[str, str], ...]


class Directory:
    """Looks at the kernelspecs in one directory of the search path."""

    def __init__(self, path: str, kernel_file: str, provider: str) -> None:
        self._path = path
        self._prefix = os.path.join(path, "")
        self._suffix = os.path.join(os.sep, kernel_file)
        self._provider = provider
        self._entries: dict[str, Entry] = {}
        self._names: _Names | None = None

    def scan(self, found: dict[str, Entry], problems: list[Problem]) -> None:
        """Add what is here and not found yet, and the problems of it."""
        here: dict[str, Entry] = {}
        entries: dict[str, Entry] = {}
        known = self._entries.get
        for name, key in self._list(problems):
            if key in found:
                continue
            entry = self._check(name, key, known(name), problems)
            if entry is None:
                continue
            if key in here:
                problems.append(self._name_clash(key, here[key], entry))
            entries[name] = here[key] = entry
        for entry in here.values():
            if entry.problems:
                problems += entry.problems
        self._entries = entries
        found.update(here)

    def look_up(self, key: str) -> Entry | None:
        """Return what is here under a name in lower case, without a listing where possible."""
        known = self._entries.get(key)
        if known is None and self._is_known_to_lack(key):
            return None
        if entry := self._check(key, key, known, []):
            self._entries[key] = entry
            return entry
        try:
            name = self._read_names().other_case.get(key)
        except OSError:
            return None
        return self._check(name, key, self._entries.get(name), []) if name else None

    def _list(self, problems: list[Problem]) -> Iterable[tuple[str, str]]:
        try:
            return self._read_names().pairs
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            reason = f"the directory cannot be searched: {error.strerror}"
            problems.append(Problem(self._provider, reason, path=self._path, exception=error))
            return ()

    def _check(
        self, name: str, key: str, known: Entry | None, problems: list[Problem]
    ) -> Entry | None:
        path = self._prefix + name + self._suffix if known is None else known.path
        try:
            status = os.stat(path)
        except OSError as error:
            self._report_absence(name, path, error, problems)
            return None
        if known is not None and known.signature == _signature(status):
            return known
        if not stat.S_ISREG(status.st_mode):
            problems.append(self._problem(key, path, "it is not a regular file"))
            return None
        return self._read(name, key, path, status)

    def _read(self, name: str, key: str, path: str, status: os.stat_result) -> Entry:
        # As it was before the reading: what changes from now on has another.
        signature = _signature(status) if _is_settled(status) else None
        try:
            if not is_valid_name(name):
                raise UnusableError(f"the folder {name!r} is passed over: {NAME_RULE}")
            spec = read_kernel_file(path, key, self._prefix + name, status)
        except (OSError, UnusableError) as error:
            # Permission can be given without a change of the signature.
            lasting = signature if isinstance(error, UnusableError) else None
            problem = self._problem(key, path, explain(error), error)
            return Entry(path, lasting, None, (problem,), error)
        odd = tuple(self._problem(key, path, oddity) for oddity in spec.oddities)
        return Entry(path, signature, spec, odd)

    def _report_absence(
        self, name: str, path: str, error: OSError, problems: list[Problem]
    ) -> None:
        if isinstance(error, NotADirectoryError):
            return
        reason = f"it cannot be looked at: {error.strerror}"
        if isinstance(error, FileNotFoundError):
            link = next(filter(leads_nowhere, (self._prefix + name, path)), None)
            if link is None:
                return
            reason = f"the symbolic link {link} leads nowhere"
        problems.append(self._problem(fold(name), path, reason, error))

    def _is_known_to_lack(self, key: str) -> bool:
        try:
            status = os.stat(self._path)
        except OSError:
            return True
        names = self._names
        return (
            names is not None
            and names.signature == _signature_of_names(status)
            and key not in names.lower_case
            and key not in names.other_case
        )

    def _read_names(self) -> _Names:
        status = os.stat(self._path)
        signature = _signature_of_names(status)
        if self._names is not None and self._names.signature == signature:
            return self._names
        # In this order the name in lower case comes last, and so has precedence over the others.
        names = sorted(os.listdir(self._path))
        pairs = tuple((name, fold(name)) for name in names if name[0] != ".")
        self._names = _Names(
            signature if _is_settled(status) else None,
            {key: name for name, key in pairs if name == key},
            {key: name for name, key in pairs if name != key},
            pairs,
        )
        return self._names

    def _name_clash(self, key: str, passed_over: Entry, used: Entry) -> Problem:
        reason = f"its folder differs by case alone from that of {used.path}, which is used"
        return self._problem(key, passed_over.path, reason)

    def _problem(self, key: str, path: str, reason: str, error: Exception | None = None) -> Problem:
        return Problem(self._provider, reason, name=key, path=path, exception=error)


def _signature(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _signature_of_names(status: os.stat_result) -> tuple[int, ...]:
    # What unpacks or copies a tree sets the time stamp of a directory after it has added to it.
    return (*_signature(status), status.st_ctime_ns)


def _is_settled(status: os.stat_result) -> bool:
    modified = status.st_mtime_ns
    tick = _TICK_NS if modified % 1_000_000_000 else _COARSE_TICK_NS
    return abs(time.time_ns() - modified) > tick


def leads_nowhere(path: str) -> bool:
    """Tell whether a path is a symbolic link without a target."""
    return os.path.islink(path) and not os.path.exists(path)
