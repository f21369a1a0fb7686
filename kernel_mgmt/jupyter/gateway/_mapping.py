"""The kernels on a gateway that a Jupyter Server has, and its sessions."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from jupyter_server.gateway import managers
from tornado.web import HTTPError
from traitlets import Dict, default

from kernel_mgmt.exceptions import CredentialsRefusedError

from ._errors import as_http_errors
from ._models import model_of
from ._settings import gateway

__all__ = ("GatewayMappingKernelManager", "GatewaySessionManager")


class GatewayMappingKernelManager(managers.GatewayMappingKernelManager):
    """Holds the kernels that this server has on the gateway, and no others."""

    # An attribute of the class in jupyter_server, which all servers of a process share.
    _kernels: Any = Dict()

    @default("kernel_manager_class")
    def _our_kernel_manager_class(self) -> str:
        return "kernel_mgmt.jupyter.gateway.GatewayKernelManager"

    def __init__(self, **kwargs: Any) -> None:
        cast("Any", super()).__init__(**kwargs)

    async def start_kernel(  # type: ignore[override]
        self, *, kernel_id: str | None = None, path: str | None = None, **kwargs: Any
    ) -> str:
        """Launch a kernel, or take hold of the one that has the id, and return its id.

        :param path: where its notebook is, below the root directory of the server
        :param kwargs: as :meth:`GatewayKernelManager.start_kernel` has them
        """
        start = cast("Any", super()).start_kernel
        started: str = await start(kernel_id=kernel_id, path=path, **kwargs)
        return started

    async def list_kernels(self, **kwargs: Any) -> list[dict[str, Any]]:
        """Return the models of the kernels, and forget those that the gateway does not know.

        A gateway that lists none is asked for each.

        :raises tornado.web.HTTPError: if the gateway does not tell
        """
        listed = await self._list_all()
        models: list[dict[str, Any]] = []
        for kernel_id, manager in tuple(self._kernels.items()):
            model = await self._refresh(manager, listed.get(kernel_id))
            if model is not None:
                models.append(model)
            elif self._kernels.get(kernel_id) is manager:
                self.log.warning("The gateway does not know the kernel %s any more", kernel_id)
                del self._kernels[kernel_id]
        return models

    async def shutdown_all(  # type: ignore[override]
        self, now: bool = False
    ) -> None:
        """End all kernels; one that cannot be ended keeps none of the others."""
        await asyncio.gather(*map(self._shut_down, tuple(self._kernels)))

    async def _list_all(self) -> dict[str, dict[str, Any]]:
        with as_http_errors():
            try:
                return {kernel.id: model_of(kernel) for kernel in await gateway().kernels()}
            except CredentialsRefusedError as error:
                # Some gateways list none, unless they are told to.
                if getattr(error, "status", None) != 403:
                    raise
                return {}

    async def _refresh(self, manager: Any, model: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            told: dict[str, Any] | None = await manager.refresh_model(model)
            return told
        except HTTPError as error:
            # That it cannot be told does not mean that the kernel has ended.
            self.log.warning(
                "The state of the kernel %s is not known: %s", manager.kernel_id, error
            )
            before: dict[str, Any] | None = manager.kernel
            return before

    async def _shut_down(self, kernel_id: str) -> None:
        try:
            await cast("Any", self).shutdown_kernel(kernel_id, now=True)
        except HTTPError as error:
            self.log.error("The kernel %s is left on the gateway: %s", kernel_id, error)


class GatewaySessionManager(managers.GatewaySessionManager):
    """Keeps the sessions of a server whose kernels are on the gateway."""

    def __init__(self, **kwargs: Any) -> None:
        cast("Any", super()).__init__(**kwargs)

    async def kernel_culled(self, kernel_id: str) -> bool:
        """Whether the kernel of a session is gone, as far as the last listing tells."""
        return kernel_id not in self.kernel_manager
