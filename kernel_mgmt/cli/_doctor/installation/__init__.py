"""The checks of the installation, which start no kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kernel_mgmt.cli._doctor._findings import Finding

from ._directories import check_runtime_directory, check_search_path
from ._jupyter_client import check_jupyter_client
from ._providers import check_old_group, check_providers
from ._python import check_extras, check_libraries, check_python
from ._records import check_records
from ._system import check_curve, check_file_limit, check_guardian, check_ipc, check_pidfd

if TYPE_CHECKING:
    from kernel_mgmt.discovery import KernelFinder

__all__ = ("check_installation",)

_CHECKS: Mapping[str, Callable[[], Finding]] = {
    "python": check_python,
    "libraries": check_libraries,
    "extras": check_extras,
    "search path": check_search_path,
    "runtime directory": check_runtime_directory,
    "records": check_records,
    "guardian": check_guardian,
    "file limit": check_file_limit,
    "pidfd": check_pidfd,
    "ipc": check_ipc,
    "curve": check_curve,
    "jupyter_client": check_jupyter_client,
    "old entry points": check_old_group,
}


def check_installation(finder: KernelFinder) -> dict[str, Finding]:
    """Look at the installation; no kernel is started.

    :return: what was found, by what it is about
    """
    found = {name: check() for name, check in _CHECKS.items()}
    for name, finding in check_providers(finder):
        # The second of two of one name is another matter.
        found[name if name not in found else f"{name} ({len(found)})"] = finding
    return found
