"""Kernelspecs: folders with a ``kernel.json`` that says how to start a kernel (JEP 105).

Example::

    finder = KernelSpecFinder()
    for spec in finder.find():
        print(spec.name, spec.argv)
    for problem in finder.problems:
        print(problem)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._find import KernelSpecFinder
from ._read import logos, read_kernel_spec
from ._spec import KernelSpec

if TYPE_CHECKING:
    from ._install import install_kernel_spec, remove_kernel_spec

__all__ = (
    "KernelSpec",
    "KernelSpecFinder",
    "install_kernel_spec",
    "logos",
    "read_kernel_spec",
    "remove_kernel_spec",
)


# Copying files takes modules that discovery has no use for.
def __getattr__(name: str) -> object:
    if name not in {"install_kernel_spec", "remove_kernel_spec"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import _install

    return getattr(_install, name)
