"""Arguments that name kernel types, providers or running kernels, which a shell can complete.

To complete is quick, fails silently, and prints nothing: there is a person in the middle of a line.
"""

from __future__ import annotations

import os
import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TypeAlias

import click
from click.shell_completion import CompletionItem

from ._terminal import on_one_line

__all__ = ("VARIABLE", "KernelSpecName", "KernelTypeName", "ProviderId", "RunningKernelName")

VARIABLE = "_KERNEL_MGMT_COMPLETE"
"""The environment variable by which a shell asks."""

Named: TypeAlias = tuple[str, str]
"""What can be typed, and what it stands for."""

_TIME_LIMIT = 1.0
_SPECIAL = re.compile(r"[^\w@%+=:,./-]")


class _Completed(click.ParamType[str]):
    """A name that is completed from those that there are; any other is taken as it is."""

    @abstractmethod
    def known(self) -> Iterable[Named]:
        """The names that there are."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        start = incomplete.lower()
        return [
            CompletionItem(_escaped(name), help=on_one_line(meaning) or None)
            for name, meaning in self._known_quietly()
            if name.lower().startswith(start)
        ]

    def _known_quietly(self) -> list[Named]:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            try:
                return list(self.known())
            except Exception:  # noqa: BLE001 - nobody is there to be told
                return []


class KernelTypeName(_Completed):
    """The name of a kernel type, such as ``spec/python3``."""

    name = "kernel"

    def known(self) -> Iterator[Named]:
        from kernel_mgmt.discovery import KernelFinder

        finder = KernelFinder.from_entrypoints(time_limit=_TIME_LIMIT)
        for name, told in finder.find_kernels():
            display_name = told.get("display_name", "")
            yield name, display_name
            # The name of a kernelspec is enough, and what people begin to type.
            if name.startswith("spec/"):
                yield name.removeprefix("spec/"), display_name


class KernelSpecName(_Completed):
    """The name of a kernelspec, such as ``python3``."""

    name = "name"

    def known(self) -> Iterator[Named]:
        from kernel_mgmt.kernelspecs import KernelSpecFinder

        return ((spec.name, spec.display_name) for spec in KernelSpecFinder().find())


class ProviderId(_Completed):
    """The id of a provider, such as ``spec``."""

    name = "provider"

    def known(self) -> Iterator[Named]:
        from kernel_mgmt.discovery import KernelFinder

        return ((provider_id, "") for provider_id in KernelFinder.from_entrypoints().provider_ids)


class RunningKernelName(_Completed):
    """The name or the id of a running kernel, or the beginning of its id."""

    name = "kernel"

    def known(self) -> Iterator[Named]:
        from kernel_mgmt.records import find_records, is_stale

        for record in find_records().records:
            if not is_stale(record):
                for name in filter(None, (record.name, record.kernel_id)):
                    yield name, record.kernel_type or ""


def _escaped(name: str) -> str:
    """Return a name as it is to be handed to the shell that asks."""
    if os.environ.get(VARIABLE) != "bash_complete":
        return name
    # Other shells quote what they insert. Of two backslashes, click's script for bash leaves one.
    return _SPECIAL.sub(r"\\\\\g<0>", name)
