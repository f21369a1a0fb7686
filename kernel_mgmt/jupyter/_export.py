"""Kernelspecs that stand for kernel types of other providers, for programs that know only kernelspecs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, cast

from kernel_mgmt.kernelspecs import KernelSpecFinder, logos, remove_kernel_spec
from kernel_mgmt.kernelspecs._install import install_in

from ._names import jupyter_names

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict, KernelAttributes

__all__ = (
    "Exported",
    "export_names",
    "find_exported",
    "kernel_file_of",
    "remove_exported",
    "stands_for",
    "write_exported",
)

_MARK = "kernel_mgmt"
# What says how the kernel is launched, which its provider knows.
_NOT_TAKEN_OVER = {"kernel_provisioner", "parameters", "launch_parameter_schema", _MARK}


@dataclass(frozen=True)
class Exported:
    """A kernelspec that stands for a kernel type.

    :ivar directory: its own folder, which bears its name
    :ivar kernel_type: the kernel type that it starts
    """

    directory: str
    kernel_type: str

    @property
    def name(self) -> str:
        """The name of the kernelspec."""
        return os.path.basename(self.directory)


def export_names(
    kernels: Mapping[str, KernelAttributes], written: Iterable[Exported] = ()
) -> Mapping[str, str]:
    """Return the names of the kernelspecs that stand for kernel types, by the kernel types.

    :param written: the kernelspecs whose names stay
    """
    # Without those that were written before, which would take the names away from themselves.
    known = [name for name, found in kernels.items() if stands_for(found.get("metadata")) is None]
    held = {exported.name: exported.kernel_type for exported in written}
    return {kernel_type: name for name, kernel_type in jupyter_names(known, held).items()}


def find_exported(search_path: Iterable[str | PathLike[str]]) -> list[Exported]:
    """Find the kernelspecs that stand for kernel types, also those that others hide.

    :param search_path: the directories to search
    """
    return [
        Exported(spec.resource_dir, kernel_type)
        for directory in search_path
        for spec in KernelSpecFinder([directory]).find()
        if (kernel_type := stands_for(spec.metadata)) is not None
    ]


def write_exported(exported: Exported, attributes: KernelAttributes) -> None:
    """Write a kernelspec that stands for a kernel type, over the one that did so before.

    :raises FileExistsError: if there is something else in its place
    :raises OSError: if it cannot be written there
    """
    parent, name = os.path.split(exported.directory)
    there = {(other.name, other.kernel_type) for other in find_exported([parent])}
    if os.path.lexists(exported.directory) and (name, exported.kernel_type) not in there:
        raise FileExistsError(f"There is something else already: {exported.directory}")
    with tempfile.TemporaryDirectory() as source:
        content = kernel_file_of(exported.kernel_type, attributes)
        with open(os.path.join(source, "kernel.json"), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        for logo in logos(attributes.get("resource_dir", "")).values():
            shutil.copy(logo, source)
        os.chmod(source, 0o755)
        install_in(source, parent, name, replace=True)


def remove_exported(exported: Exported) -> None:
    """Remove a kernelspec that stands for a kernel type.

    :raises OSError: if it cannot be removed
    """
    parent, name = os.path.split(exported.directory)
    remove_kernel_spec(name, search_path=[parent])


def kernel_file_of(
    kernel_type: str, attributes: KernelAttributes, python: str = sys.executable
) -> JSONDict:
    """Return the content of a ``kernel.json`` that starts a kernel type through its provider.

    :param python: the interpreter in which kernel_mgmt and the provider are installed
    """
    metadata = attributes.get("metadata", {})
    stand_in = [python, "-m", "kernel_mgmt.jupyter.stand_in"]
    return {
        "argv": [*stand_in, kernel_type, "-f", "{connection_file}"],
        "display_name": attributes.get("display_name", kernel_type),
        "language": attributes.get("language", ""),
        "interrupt_mode": attributes.get("interrupt_mode", "signal"),
        "metadata": {
            **{key: value for key, value in metadata.items() if key not in _NOT_TAKEN_OVER},
            _MARK: {"kernel_type": kernel_type},
        },
    }


def stands_for(metadata: Mapping[str, object] | None) -> str | None:
    """The kernel type that a kernelspec with this metadata stands for, if it does."""
    mark = (metadata or {}).get(_MARK)
    if not isinstance(mark, dict):
        return None
    kernel_type = cast("JSONDict", mark).get("kernel_type")
    return kernel_type if isinstance(kernel_type, str) else None
