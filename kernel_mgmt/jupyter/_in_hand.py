"""Launch a kernelspec that jupyter_client holds, wherever that has it from."""

from __future__ import annotations

import os
from typing import Any

from kernel_mgmt.discovery import KernelFinder, KernelSpecProvider
from kernel_mgmt.kernelspecs import KernelSpec
from kernel_mgmt.kernelspecs._spec import parse_kernel_spec

__all__ = ("finder_of",)


def finder_of(kernel_spec: Any, name: str) -> KernelFinder:
    """Return a finder that knows ``spec/<name>``, and nothing else.

    :param kernel_spec: the kernelspec, as jupyter_client has it
    :raises ValueError: if no kernel could be started from it
    """
    resource_dir: str = kernel_spec.resource_dir
    path = os.path.join(resource_dir, "kernel.json")
    spec = parse_kernel_spec(kernel_spec.to_dict(), name, path, resource_dir, [])
    return KernelFinder([_KernelSpecInHand(spec)])


class _KernelSpecInHand(KernelSpecProvider):
    """Launches one kernelspec, which was found by somebody else."""

    def __init__(self, kernel_spec: KernelSpec) -> None:
        super().__init__(search_path=())
        self._kernel_spec = kernel_spec

    def find_kernel_spec(self, name: str) -> KernelSpec:
        return self._kernel_spec
