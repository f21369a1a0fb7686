"""The quick look at a kernel type: can what its argv names be run?"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.exceptions import KernelManagementError

from ._findings import Finding, ok, problem
from ._subject import Subject

if TYPE_CHECKING:
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import KernelAttributes

__all__ = ("check_kernel_types", "start_kernel_types")

# As a launch has it: a bare name of these is the running interpreter.
_PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")
_AT_ONCE = 2


def check_kernel_types(finder: KernelFinder) -> dict[str, Finding]:
    """Look whether there is what the argv of each kernel type names; nothing is started."""
    return {name: _check(found) for name, found in finder.find_kernels()}


async def start_kernel_types(finder: KernelFinder, startup_timeout: float) -> dict[str, Finding]:
    """Start a kernel of each type, two at once, and end it as soon as it has answered."""
    kernels: Mapping[str, KernelAttributes] = {
        name: attributes async for name, attributes in finder.find_kernels_async()
    }
    found: dict[str, Finding] = {}
    limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def start(name: str, attributes: KernelAttributes) -> None:
        async with limiter:
            found[name] = await _start(
                Subject(name, finder, attributes, startup_timeout=startup_timeout)
            )

    async with anyio.create_task_group() as tasks:
        for name, attributes in kernels.items():
            tasks.start_soon(start, name, attributes)
    return {name: found[name] for name in kernels}


async def _start(subject: Subject) -> Finding:
    try:
        async with subject.started() as kernel:
            return ok(f"ready after {kernel.seconds:.1f} s, over {kernel.transport}")
    except KernelManagementError as error:
        return problem(str(error), f"kernel-mgmt info {subject.name} shows how it is started")


def _check(attributes: KernelAttributes) -> Finding:
    argv = attributes.get("argv")
    if not argv:
        return ok("its provider does not tell by what it is started")
    if "{" in argv[0]:
        return ok(f"is started by {argv[0]}, which a launch fills in")
    is_own = argv[0] in _PYTHON_NAMES
    program = sys.executable if is_own else shutil.which(argv[0])
    if program is None:
        return problem(f"there is no program {argv[0]!r}", "install it, or remove the kernelspec")
    is_own = is_own or _environment_of(program) == _environment_of(sys.executable)
    module = _module_of(argv)
    if is_own and module is not None and not _exists(module):
        return problem(
            f"{program} has no module {module!r}", "install it, or remove the kernelspec"
        )
    return ok(f"is started by {program}{f' -m {module}' if module else ''}")


def _environment_of(program: str) -> str:
    # The link itself counts: what it leads to is the same for many virtual environments.
    return os.path.realpath(os.path.dirname(os.path.abspath(program)))


def _module_of(argv: Sequence[str]) -> str | None:
    return argv[2] if argv[1:2] == ["-m"] and len(argv) > 2 else None


def _exists(module: str, find: Callable[[str], object] = find_spec) -> bool:
    # Of a package only the first part is looked for, so that nothing is imported.
    try:
        return find(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False
