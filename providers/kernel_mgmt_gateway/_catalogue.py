"""The kernel types of one gateway, asked for when need be."""

from __future__ import annotations

import logging
import os
import threading
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote

from kernel_mgmt.exceptions import NoSuchKernelError

from ._errors import GatewayError, GatewayTimeoutError
from ._kernel_types import KernelTypes, attributes_of, kernel_types_of

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes

    from ._requests import Requests

__all__ = ("Catalogue", "user_of")

log = logging.getLogger(__name__)

# A listing older than this is worth nothing (seconds).
_STALE_MOST = 600.0


class Catalogue:
    """Lists the kernel types of a gateway, and keeps the listing for some time.

    One that is older is given all the same, while a new one is fetched in a thread, so that only the
    first listing waits for the gateway.
    """

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._settings = requests.settings
        self._known: KernelTypes | None = None
        self._failure: GatewayError | None = None
        self._asked_at = 0.0
        self._single: dict[str, tuple[float, KernelAttributes]] = {}
        self._fetching: threading.Thread | None = None

    @property
    def known(self) -> KernelTypes | None:
        """What was listed last, unless it must be fetched; :meth:`get` does that."""
        age = monotonic() - self._asked_at
        if self._known is None or age > _STALE_MOST:
            return None
        if age > self._settings.cache_time:
            self._fetch_in_a_thread()
        return self._known

    def forget(self) -> None:
        """Ask the gateway, when the kernel types are asked for next."""
        self._known = self._failure = None
        self._single.clear()

    async def get(self) -> KernelTypes:
        """Return the kernel types.

        :raises GatewayError: if the gateway does not tell them, or did not just now
        """
        known = self.known
        if known is not None:
            return known
        if self._failure is not None and self._is_fresh:
            raise self._failure
        return await self._fetch()

    async def get_one(self, name: str, *, anew: bool = False) -> KernelAttributes:
        """Return the attributes of one kernel type.

        :param anew: whether the gateway is asked though it is known
        :raises NoSuchKernelError: if there is none of this name
        :raises GatewayError: if the gateway does not tell
        """
        known = self._known
        found = None if anew else self._find_fresh(name)
        if found is not None:
            return found
        path = f"{self._settings.kernelspecs_endpoint}/{quote(name, safe='')}"
        # A query by itself: as a part of the path it would ask for all kernel types.
        answer = await self._requests.send("GET", path, query=self._query(), accepted=(404,))
        if answer.status == 404:
            raise NoSuchKernelError(name, () if known is None else known.attributes)
        try:
            attributes = attributes_of(answer.json(), self._settings)
        except ValueError as error:
            raise self._not_understood(error) from error
        self._single[name] = monotonic(), attributes
        return attributes

    async def get_resource(self, name: str, path: str) -> bytes | None:
        """Return a file of a kernelspec, such as ``logo-64x64.png``; ``None`` if there is none."""
        place = f"{quote(name, safe='')}/{quote(path)}"
        url = f"{self._settings.kernelspecs_resource_endpoint}/{place}"
        answer = await self._requests.send("GET", url, accepted=(404,))
        return None if answer.status == 404 else answer.content

    @property
    def _is_fresh(self) -> bool:
        return monotonic() - self._asked_at <= self._settings.cache_time

    def _find_fresh(self, name: str) -> KernelAttributes | None:
        """Return what was told of a kernel type just now, such as before its launch."""
        if self._known is not None and self._is_fresh and name in self._known.attributes:
            return self._known.attributes[name]
        asked_at, attributes = self._single.get(name, (0.0, None))
        return attributes if monotonic() - asked_at <= self._settings.cache_time else None

    def _query(self) -> dict[str, str] | None:
        user = user_of(self._settings.user)
        return {"user": user} if user else None

    def _not_understood(self, error: ValueError) -> GatewayError:
        reason = f"is no Jupyter gateway, as far as it tells ({error}); correct its url"
        return GatewayError(self._settings.url, reason)

    async def _fetch(self) -> KernelTypes:
        from anyio import move_on_after

        failure: GatewayError | None = None
        try:
            with move_on_after(self._settings.listing_timeout) as limit:
                self._known = await self._ask()
            if limit.cancelled_caught:
                reason = f"did not list its kernels within {self._settings.listing_timeout:g} s"
                failure = GatewayTimeoutError(self._settings.url, reason)
        except GatewayError as error:
            failure = error
        self._asked_at, self._failure = monotonic(), failure
        if failure is not None:
            self._known = None
            raise failure
        assert self._known is not None
        return self._known

    async def _ask(self) -> KernelTypes:
        endpoint = self._settings.kernelspecs_endpoint
        answer = await self._requests.send("GET", endpoint, query=self._query())
        try:
            return kernel_types_of(answer.json(), self._settings)
        except ValueError as error:
            raise self._not_understood(error) from error

    def _fetch_in_a_thread(self) -> None:
        if self._fetching is None or not self._fetching.is_alive():
            name = f"kernel_mgmt gateway {self._settings.label}"
            self._fetching = threading.Thread(target=self._run, name=name, daemon=True)
            self._fetching.start()

    def _run(self) -> None:
        import anyio

        try:
            anyio.run(self._fetch)
        except GatewayError as error:
            log.info("%s", error)


def user_of(configured: str | None) -> str | None:
    """Return the user for whom kernels are listed, if one is named."""
    return configured or os.environ.get("KERNEL_USERNAME") or None
