"""The manager of one kernel on a gateway, in a Jupyter Server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.gateway import managers
from jupyter_server.services.kernels.kernelmanager import (
    AsyncMappingKernelManager,
    emit_kernel_action_event,
)
from jupyter_server.utils import url_path_join
from tornado.escape import url_escape
from traitlets import DottedObjectName, Type

from kernel_mgmt.exceptions import ReattachError
from kernel_mgmt.types import LaunchOptions

from ._errors import as_http_errors
from ._models import model_of, new_model, time_of
from ._settings import gateway, gateway_provider

if TYPE_CHECKING:
    import kernel_mgmt_gateway

    from ._client import GatewayKernelClient

__all__ = ("GatewayKernelManager",)

_WORKING_DIR = "KERNEL_WORKING_DIR"
_OURS = "KERNEL_MGMT_"


class GatewayKernelManager(managers.GatewayKernelManager):
    """Manages one kernel over the REST interface of the gateway.

    What the gateway does not do is raised as the ``tornado.web.HTTPError`` that a server answers.

    :ivar kernel: the model of the kernel, as it was told last; ``None`` without a kernel
    :ivar kernel_url: where the gateway has the kernel
    :ivar remote: what holds the kernel for programs of ours; ``None`` without a kernel
    """

    client_class = DottedObjectName("kernel_mgmt.jupyter.gateway.GatewayKernelClient")
    client_factory = Type(klass="kernel_mgmt.jupyter.gateway.GatewayKernelClient")

    # Plain attributes in jupyter_server, too, where jupyter_client has a trait.
    kernel: dict[str, Any] | None
    kernel_id: Any
    remote: kernel_mgmt_gateway.GatewayKernelManager | None = None

    def __init__(self, **kwargs: Any) -> None:
        cast("Any", super()).__init__(**kwargs)

    @property
    def has_kernel(self) -> bool:
        """Whether there is a kernel, as far as was told."""
        return self.kernel is not None

    def client(  # type: ignore[override]
        self, **kwargs: Any
    ) -> GatewayKernelClient:
        """Return a client of the kernel, whose channels are still to be started."""
        client: GatewayKernelClient = cast("Any", super()).client(**kwargs)
        return client

    @emit_kernel_action_event(success_msg="Kernel {kernel_id} was started.")
    async def start_kernel(self, **kwargs: Any) -> None:
        """Launch a kernel, or take hold of the one that has the id.

        Of the variables in ``env`` the gateway is sent those that begin with ``KERNEL_``, and those
        that ``GatewayClient.allowed_envs`` names. A call that is cancelled leaves no kernel behind.

        :param kwargs: ``kernel_name``, ``kernel_id``, ``env`` and ``cwd``; others are not heeded
        """
        with as_http_errors():
            remote = await self._attach_or_launch(kwargs)
        self.remote, self.kernel_id = remote, remote.remote_id
        self.kernel_url = url_path_join(self.kernels_url, url_escape(remote.remote_id))
        name = remote.connection_info.get("kernel_name", "")
        self.kernel = new_model(remote.remote_id, name)
        if kwargs.get("kernel_id") is not None:
            await self.refresh_model()

    @emit_kernel_action_event(success_msg="Kernel {kernel_id} was shutdown.")
    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """Have the gateway end the kernel, in its own way, and wait until it has."""
        if self.remote is None or not self.has_kernel:
            return
        with as_http_errors():
            await self.remote.kill()
            if self.execution_state == "dead":
                # It has ended before, and the gateway still lists it.
                await gateway().delete(self.remote.remote_id)
        self.kernel = None

    @emit_kernel_action_event(success_msg="Kernel {kernel_id} was restarted.")
    async def restart_kernel(self, **kw: Any) -> None:
        """Have the gateway end the kernel and start it again, where all its clients are."""
        if self.remote is not None and self.has_kernel:
            with as_http_errors():
                await self.remote.restart()
            await self.refresh_model()

    @emit_kernel_action_event(success_msg="Kernel {kernel_id} was interrupted.")
    async def interrupt_kernel(self) -> None:
        """Have the gateway interrupt the kernel, in the way of its kernelspec."""
        if self.remote is not None and self.has_kernel:
            with as_http_errors():
                await self.remote.interrupt()

    async def signal_kernel(self, signum: int) -> None:  # type: ignore[override]
        """Interrupt the kernel, if the signal is SIGINT; a gateway can send no other."""
        if self.remote is not None and self.has_kernel:
            with as_http_errors():
                await self.remote.signal(signum)

    async def is_alive(self) -> bool:  # type: ignore[override]
        """Ask the gateway whether the kernel runs."""
        if self.has_kernel:
            await self.refresh_model()
        return self.has_kernel and self.execution_state != "dead"

    async def refresh_model(self, model: dict[str, Any] | None = None) -> dict[str, Any] | None:
        """Take note of the state of the kernel.

        :param model: what the gateway tells of it; it is asked when ``None``
        :return: the model; ``None`` if the gateway does not know the kernel
        """
        if model is None:
            model = await self._ask_for_model()
        if model is not None:
            self.last_activity = time_of(model.get("last_activity"))
            self.execution_state = model.get("execution_state", "unknown")
            if isinstance(self.parent, AsyncMappingKernelManager):
                mapping = cast("Any", self.parent)
                mapping._kernel_connections[self.kernel_id] = int(model.get("connections") or 0)
        self.kernel = model
        return model

    def cleanup_resources(  # type: ignore[override]
        self, restart: bool = False
    ) -> None:
        """Do nothing: whatever the kernel has left is on the gateway, which ends it."""

    # What jupyter_client calls where it does not know of any other way.
    _async_start_kernel = start_kernel
    _async_shutdown_kernel = shutdown_kernel
    _async_restart_kernel = restart_kernel
    _async_interrupt_kernel = interrupt_kernel
    _async_signal_kernel = signal_kernel
    _async_is_alive = is_alive

    async def _attach_or_launch(
        self, asked: Mapping[str, Any]
    ) -> kernel_mgmt_gateway.GatewayKernelManager:
        kernel_id: str | None = asked.get("kernel_id")
        if kernel_id is not None:
            try:
                return await gateway_provider().attach(kernel_id)
            except ReattachError:
                if "kernel_name" not in asked:
                    raise
        env = self._sent(asked.get("env") or {})
        cwd = None if _WORKING_DIR in {**os.environ, **env} else asked.get("cwd")
        options = LaunchOptions(env=env, kernel_id=kernel_id)
        name: str = asked.get("kernel_name") or cast("Any", self).kernel_name
        _, remote = await gateway_provider().launch(name, cwd, options=options)
        return remote

    def _sent(self, env: Mapping[str, str]) -> dict[str, str]:
        allowed = gateway().settings.allowed_envs
        return {
            name: value
            for name, value in env.items()
            if name in allowed or (name.startswith("KERNEL_") and not name.startswith(_OURS))
        }

    async def _ask_for_model(self) -> dict[str, Any] | None:
        if self.remote is None:
            return None
        with as_http_errors():
            kernel = await self.remote.model()
            if kernel is None:
                # A gateway goes on telling of a kernel that it could not start again.
                kernel = await gateway().kernel(self.kernel_id)
        return None if kernel is None else model_of(kernel)
