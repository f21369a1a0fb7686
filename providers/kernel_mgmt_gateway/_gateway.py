"""One gateway: its kernel types, and what can be done with its kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from ._catalogue import Catalogue
from ._errors import GatewayError
from ._kernels import RemoteKernel
from ._requests import Answer, Requests
from ._turns import Turns

if TYPE_CHECKING:
    from kernel_mgmt.types import ConnectionInfo, JSONDict

    from ._settings import GatewaySettings

__all__ = ("Gateway",)


class Gateway:
    """Asks one gateway over REST; it is bound to no event loop.

    :ivar turns: launches take turns, since Kernel Gateway mixes up those that come at the same time
    :ivar honours_ids: whether it gives kernels the ids that they are asked to have; ``None`` before
        that is known
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.requests = Requests(settings)
        self.catalogue = Catalogue(self.requests)
        self.turns = Turns()
        self.honours_ids: bool | None = None

    def websocket_url(self, kernel_id: str) -> str:
        """Where the channels of a kernel are."""
        return f"{self.settings.websocket_url}{self._path(kernel_id)}/channels"

    def id_in(self, websocket_url: str) -> str | None:
        """Return the id of the kernel whose channels are there, if it is one of this gateway."""
        before, _, after = self.websocket_url("*").partition(quote("*", safe=""))
        if websocket_url.startswith(before) and websocket_url.endswith(after):
            return unquote(websocket_url[len(before) : -len(after)])
        return None

    def connection_info(self, kernel_id: str, kernel_name: str) -> ConnectionInfo:
        """How a kernel is reached, credentials included."""
        settings, requests = self.settings, self.requests
        verify: bool | str = settings.validate_cert and (settings.ca_certs or True)
        info: ConnectionInfo = {
            "transport": "websocket",
            "url": self.websocket_url(kernel_id),
            "headers": requests.with_cookies(requests.credentials.current),
            "verify": verify,
            "kernel_name": kernel_name,
        }
        if settings.client_cert:
            info["client_cert"] = settings.client_cert
        if settings.client_key:
            info["client_key"] = settings.client_key
        return info

    async def create(self, body: JSONDict) -> RemoteKernel:
        """Start a kernel; the gateway may answer before it runs."""
        path, limit = self.settings.kernels_endpoint, self.settings.time_for_launch
        return self._kernel(await self.requests.send("POST", path, body=body, timeout=limit))

    async def kernel(self, kernel_id: str) -> RemoteKernel | None:
        """Return what is to be known of a kernel; ``None`` if it is not there."""
        answer = await self.requests.send("GET", self._path(kernel_id), accepted=(404,))
        return None if answer.status == 404 else self._kernel(answer)

    async def kernels(self) -> list[RemoteKernel]:
        """Return all kernels that run.

        :raises GatewayCredentialsError: if it does not tell
        """
        answer = await self.requests.send("GET", self.settings.kernels_endpoint)
        try:
            return [RemoteKernel.from_model(model) for model in answer.json()]
        except (TypeError, ValueError) as error:
            raise self._not_understood(error) from error

    async def interrupt(self, kernel_id: str) -> bool:
        """Interrupt a kernel.

        :return: whether it is there
        """
        return await self._do(kernel_id, "interrupt") is not None

    async def restart(self, kernel_id: str) -> RemoteKernel | None:
        """End a kernel, and start it again in its place; ``None`` if it is not there."""
        answer = await self._do(kernel_id, "restart")
        return None if answer is None else self._kernel(answer)

    async def delete(self, kernel_id: str) -> bool:
        """End a kernel, and wait until it has ended.

        :return: whether it was there
        """
        answer = await self.requests.send("DELETE", self._path(kernel_id), accepted=(404,))
        return answer.status != 404

    async def _do(self, kernel_id: str, what: str) -> Answer | None:
        path = f"{self._path(kernel_id)}/{what}"
        limit = self.settings.time_for_launch
        answer = await self.requests.send("POST", path, body={}, timeout=limit, accepted=(404,))
        return None if answer.status == 404 else answer

    def _path(self, kernel_id: str) -> str:
        return f"{self.settings.kernels_endpoint}/{quote(kernel_id, safe='')}"

    def _kernel(self, answer: Answer) -> RemoteKernel:
        try:
            return RemoteKernel.from_model(answer.json())
        except ValueError as error:
            raise self._not_understood(error) from error

    def _not_understood(self, error: Exception) -> GatewayError:
        return GatewayError(self.settings.url, f"tells of a kernel what is none ({error})")
