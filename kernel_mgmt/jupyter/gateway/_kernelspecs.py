"""The kernelspecs of a gateway, in a Jupyter Server."""

from __future__ import annotations

import os
from typing import Any, cast
from urllib.parse import quote

from jupyter_client.kernelspec import NoSuchKernel
from jupyter_server.gateway import managers
from jupyter_server.utils import url_path_join

from ._errors import as_http_errors
from ._settings import gateway, gateway_provider

__all__ = ("GatewayKernelSpecManager",)


class KernelSpecModel(dict[str, Any]):
    """A kernelspec as the REST interface has it."""

    @property
    def resource_dir(self) -> str:
        """Raise the error that a server answers with 404: none of its files is here."""
        raise NoSuchKernel(str(self.get("name")))


class GatewayKernelSpecManager(managers.GatewayKernelSpecManager):
    """Lists the kernelspecs of the gateway, for ``ServerApp.kernel_spec_manager_class``."""

    def __init__(self, **kwargs: Any) -> None:
        cast("Any", super()).__init__(**kwargs)

    async def get_all_specs(self) -> dict[str, Any]:  # type: ignore[override]
        """Return the models of the kernelspecs by their names; the server takes over the default.

        :raises tornado.web.HTTPError: if the gateway does not tell
        """
        listed = await self.list_kernel_specs()
        kernel_manager: Any = getattr(self.parent, "kernel_manager", None)
        default = listed.get("default")
        if kernel_manager is not None and default:
            kernel_manager.default_kernel_name = default
        return cast("dict[str, Any]", listed["kernelspecs"])

    async def list_kernel_specs(self) -> dict[str, Any]:
        """Return the answer of the gateway, with resources at the place where the server has them.

        :raises tornado.web.HTTPError: if the gateway does not tell
        """
        listed = await self._ask()
        return self._replace_path_kernelspec_resources(listed)

    async def get_kernel_spec(  # type: ignore[override]
        self, kernel_name: str, **keywords: Any
    ) -> KernelSpecModel:
        """Return the model of one kernelspec.

        :raises KeyError: if the gateway has none of this name
        :raises tornado.web.HTTPError: if the gateway does not tell
        """
        name = str(kernel_name)
        told = await self._ask(f"/{quote(name, safe='')}")
        if told is None:
            where = gateway().settings.url
            raise NoSuchKernel(name) from KeyError(f"the gateway {where} has no such kernelspec")
        self._rewrite(told)
        return KernelSpecModel(told)

    async def get_kernel_spec_resource(self, kernel_name: str, path: str) -> bytes | None:
        """Return a file of a kernelspec, such as its logo; ``None`` if there is none.

        :raises tornado.web.HTTPError: if the gateway does not tell
        """
        with as_http_errors():
            return await gateway_provider().get_resource(str(kernel_name), str(path))

    async def _ask(self, path: str = "") -> Any:
        with as_http_errors():
            asked = gateway()
            user = asked.settings.user or os.environ.get("KERNEL_USERNAME")
            answer = await asked.requests.send(
                "GET",
                asked.settings.kernelspecs_endpoint + path,
                query={"user": user} if user else None,
                accepted=(404,) if path else (),
            )
            return None if answer.status == 404 else answer.json()

    def _replace_path_kernelspec_resources(self, kernel_specs: dict[str, Any]) -> dict[str, Any]:
        for model in kernel_specs["kernelspecs"].values():
            self._rewrite(model)
        return kernel_specs

    def _rewrite(self, model: dict[str, Any]) -> None:
        """Have browsers ask this server for the resources; without one, they stay as they are."""
        base_url: str | None = getattr(self.parent, "base_url", None)
        resources: dict[str, str] = model.get("resources", {})
        for name, url in resources.items():
            _, separator, path = url.rpartition("/kernelspecs/")
            if separator and base_url is not None:
                resources[name] = url_path_join(base_url, "kernelspecs", path)
