"""A listing for Jupyter's servers that has the kernel types of all providers in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from anyio import to_thread
from jupyter_client.kernelspec import KernelSpec, NoSuchKernel
from jupyter_client.kernelspec import KernelSpecManager as JupyterKernelSpecManager
from tornado.web import HTTPError

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import KernelManagementError, NoSuchKernelError, UnknownProviderError

from ._listing import Listing

if TYPE_CHECKING:
    from kernel_mgmt.types import KernelAttributes

__all__ = ("KernelSpecManager",)


class KernelSpecManager(JupyterKernelSpecManager):
    """Lists the kernel types of other providers beside the kernelspecs.

    It needs no configuration of its own: ``ServerApp.kernel_spec_manager_class`` names it. What it adds
    is launched by the provisioner ``kernel-mgmt``.
    """

    def __init__(self, *, listing: Listing | None = None, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._listing = Listing() if listing is None else listing

    def find_kernel_specs(self) -> dict[str, str]:
        """Return the directories of resources, such as logos, by the names of the kernels."""
        found = super().find_kernel_specs()
        allowed = self.allowed_kernelspecs
        for name, (_, attributes) in self._listing.kernels().items():
            if name not in found and (not allowed or name in allowed):
                found[name] = attributes.get("resource_dir", "")
        return found

    def get_all_specs(self) -> dict[str, Any]:
        """Return all kernels with their kernelspecs, by their names.

        Those whose logos are on another machine are as a server tells them to a browser.
        """
        found: dict[str, Any] = super().get_all_specs()
        listed = self._listing.kernels()
        base_url: str = getattr(self.parent, "base_url", "/")
        for name in found.keys() & listed.keys():
            resources = listed[name][1].get("resources")
            if resources and not found[name]["resource_dir"]:
                place = f"{base_url}kernelspecs/{name}/"
                urls = {each: place + quote(path) for each, path in resources.items()}
                found[name] |= {"name": name, "resources": urls}
        return found

    async def get_kernel_spec_resource(self, kernel_name: str, path: str) -> bytes | None:
        """Return a file of a kernel, such as its logo; ``None`` if there is none.

        A server asks for it before it looks at the directory of resources itself.

        :raises tornado.web.HTTPError: if the kernel has no directory of resources
        """
        listed = await to_thread.run_sync(self._listing.kernels)
        kernel_type, attributes = listed.get(kernel_name.lower(), (None, None))
        if kernel_type is not None and attributes and "resources" in attributes:
            return await self._fetch_resource(kernel_type, attributes["resources"], path)
        return await to_thread.run_sync(self._read_resource, kernel_name, path)

    async def _fetch_resource(
        self, kernel_type: str, resources: Mapping[str, str], path: str
    ) -> bytes:
        content: bytes | None = None
        if path in resources.values():
            try:
                content = await self._listing.get_resource(kernel_type, path)
            except KernelManagementError as error:
                self.log.warning("%s", error)
        if content is None:
            # The server would look in the directory that it runs in.
            raise HTTPError(404)
        return content

    def _read_resource(self, kernel_name: str, path: str) -> bytes | None:
        try:
            directory = self.get_kernel_spec(kernel_name).resource_dir
        except NoSuchKernel:
            return None
        place = os.path.realpath(directory)
        file = os.path.realpath(os.path.join(place, path))
        if not directory:
            # The server would look in the directory that it runs in.
            raise HTTPError(404)
        if not file.startswith(place + os.sep) or not os.path.isfile(file):
            return None
        with open(file, "rb") as opened:
            return opened.read()

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return one kernel, as a kernelspec.

        :param kernel_name: the name, or that of a kernel type, such as ``"env/project"``
        :raises jupyter_client.kernelspec.NoSuchKernel: if there is none
        """
        if "/" in kernel_name:
            return self._get_kernel_type(kernel_name)
        if self._find_spec_directory(kernel_name.lower()) is None:
            listed = self._listing.kernels().get(kernel_name.lower())
            if listed is not None:
                return self._as_kernel_spec(*listed)
        return super().get_kernel_spec(kernel_name)

    def _get_kernel_type(self, kernel_type: str) -> KernelSpec:
        provider_id, _, name = kernel_type.partition("/")
        if provider_id == "spec":
            return super().get_kernel_spec(name)
        try:
            attributes = KernelFinder.from_entrypoints().get(kernel_type)
        except (NoSuchKernelError, UnknownProviderError) as error:
            raise NoSuchKernel(kernel_type) from error
        return self._as_kernel_spec(kernel_type, attributes)

    def _as_kernel_spec(self, kernel_type: str, attributes: KernelAttributes) -> KernelSpec:
        config = {"kernel_type": kernel_type}
        stanza = {"provisioner_name": "kernel-mgmt", "config": config}
        return self.kernel_spec_class(
            resource_dir=attributes.get("resource_dir", ""),
            # The provider knows it; but front-ends look for a list here.
            argv=list(attributes.get("argv", [])),
            display_name=attributes.get("display_name", kernel_type),
            language=attributes.get("language", ""),
            interrupt_mode=attributes.get("interrupt_mode", "signal"),
            metadata={**attributes.get("metadata", {}), "kernel_provisioner": stanza},
        )
