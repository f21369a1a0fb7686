"""Which kernel type is meant by the names that programs of jupyter_client use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel_mgmt.exceptions import KernelManagementError

if TYPE_CHECKING:
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import KernelAttributes

__all__ = ("NATIVE_KERNEL_NAME", "find_kernel_type", "find_name_async", "plain_name")

NATIVE_KERNEL_NAME = "python3"

# Where there is no kernelspec of this name, the ipykernel of this interpreter is meant.
_NATIVE_KERNEL_TYPES = ("spec/python3", "pyimport/kernel")


def plain_name(name: str) -> str:
    """Return the name of a kernel, where ``python`` stands for ``python3``."""
    return NATIVE_KERNEL_NAME if name == "python" else name


def find_kernel_type(finder: KernelFinder, name: str) -> tuple[str, KernelAttributes]:
    """Return the name of the kernel type that is meant, and what is known of it.

    :raises KernelManagementError: as ``finder.get`` does
    """
    failures: list[KernelManagementError] = []
    for candidate in _candidates(name):
        try:
            return candidate, finder.get(candidate)
        except KernelManagementError as error:
            failures.append(error)
    raise failures[0]


async def find_name_async(finder: KernelFinder, name: str) -> str:
    """Return the name of the kernel type that is meant; it is looked up only if it may be several.

    :raises KernelManagementError: as ``finder.get_async`` does
    """
    candidates = _candidates(name)
    if len(candidates) == 1:
        return name
    failures: list[KernelManagementError] = []
    for candidate in candidates:
        try:
            await finder.get_async(candidate)
        except KernelManagementError as error:
            failures.append(error)
        else:
            return candidate
    raise failures[0]


def _candidates(name: str) -> tuple[str, ...]:
    return _NATIVE_KERNEL_TYPES if plain_name(name).lower() == NATIVE_KERNEL_NAME else (name,)
