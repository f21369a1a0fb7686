"""A listing for Jupyter's servers that has the kernel types of all providers in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_client.kernelspec import KernelSpec, NoSuchKernel
from jupyter_client.kernelspec import KernelSpecManager as JupyterKernelSpecManager

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import NoSuchKernelError, UnknownProviderError

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
