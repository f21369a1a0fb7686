"""A listing of kernel types that is never waited for longer than a moment."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kernel_mgmt.discovery import KernelFinder

from ._export import stands_for
from ._names import jupyter_names

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes

    Kernels = Mapping[str, tuple[str, KernelAttributes]]

__all__ = ("Listing",)

logger = logging.getLogger(__name__)


class Listing:
    """The kernel types of all providers but ``spec``, by the names that Jupyter knows them by.

    A server asks at each page load, and its event loop waits. So a thread asks the providers, and
    what it found before is given out meanwhile.

    :param fresh_for: the seconds for which the providers are not asked again
    :param time_limit: the seconds that the first listing is waited for
    :param make_finder: makes what asks the providers
    :param clock: returns seconds
    """

    def __init__(
        self,
        *,
        fresh_for: float = 10.0,
        time_limit: float = 2.0,
        make_finder: Callable[[], KernelFinder] = KernelFinder.from_entrypoints,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_for = fresh_for
        self._time_limit = time_limit
        self._make_finder = make_finder
        self._clock = clock
        self._finder: KernelFinder | None = None
        self._told: set[str] = set()
        self._found: dict[str, KernelAttributes] = {}
        self._kernels: Kernels | None = None
        self._has_waited = False
        self._listed_at = 0.0
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def kernels(self) -> Kernels:
        """Return the kernel types and their attributes, by Jupyter's names for them.

        Until all providers have been heard once, these are the kernel types of those that answered.
        """
        thread = self._ask_if_old()
        if self._kernels is None and thread is not None and not self._has_waited:
            thread.join(self._time_limit)
            self._has_waited = True
        return self._kernels or _as_listed(dict(self._found))

    async def get_resource(self, kernel_type: str, path: str) -> bytes | None:
        """Return a file of a kernel type that has been listed; ``None`` if there is none."""
        if self._finder is None:
            return None
        return await self._finder.get_resource_async(kernel_type, path)

    def _ask_if_old(self) -> threading.Thread | None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return self._thread
            if self._kernels is not None and self._clock() - self._listed_at < self._fresh_for:
                return None
            self._thread = threading.Thread(
                target=self._ask, name="kernel_mgmt listing for Jupyter", daemon=True
            )
            self._thread.start()
            return self._thread

    def _ask(self) -> None:
        if self._finder is None:
            self._finder = self._make_finder()
        self._found = {}
        for name, attributes in self._finder.find_kernels():
            self._found[name] = attributes
        for problem in map(str, self._finder.problems):
            if problem not in self._told:
                self._told.add(problem)
                logger.warning("%s", problem)
        self._kernels = _as_listed(self._found)
        self._listed_at = self._clock()


def _as_listed(found: Mapping[str, KernelAttributes]) -> Kernels:
    # Those of `spec` have their names, so they have to be there when names are given.
    ours = [name for name in found if stands_for(found[name].get("metadata")) is None]
    return {
        name: (kernel_type, found[kernel_type])
        for name, kernel_type in jupyter_names(ours).items()
        if not kernel_type.startswith("spec/")
    }
