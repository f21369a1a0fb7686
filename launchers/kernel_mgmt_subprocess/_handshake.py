"""The launcher for kernels that bind ports of their own choice, and then tell them (JEP 66)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from kernel_mgmt.types import ConnectionInfo

from ._connection_file import replace_connection_file
from ._manager import KernelManager
from ._tcp import SubprocessKernelLauncher

if TYPE_CHECKING:
    from ._registration import RegistrationSocket

logger = logging.getLogger(__name__)

# How long the end of a kernel that has not registered is waited for (seconds).
_DISCARD_MOST = 10.0


class SubprocessHandshakeKernelLauncher(SubprocessKernelLauncher):
    """Starts a kernel that chooses its ports itself, so that nobody can be faster.

    The kernel is first given a registration file, which the connection file takes the place of once
    the kernel has registered. One that ends instead, or has not registered in time, is launched
    again the classic way, with a connection file.

    :ivar handshake_timeout: how long the kernel may take to register, in seconds
    """

    handshake_timeout = 10.0
    _registration: RegistrationSocket | None = None

    def make_ports(self) -> dict[str, int]:
        """Return the port that the kernel registers on; launched the classic way, five free ones."""
        if self._registration is None:
            return super().make_ports()
        return {"registration_port": self._registration.port}

    async def _launch(self) -> tuple[ConnectionInfo, KernelManager]:
        with self._open_registration() as registration:
            connection_info, manager = await super()._launch()
            registered = False
            try:
                registered = await self._complete(connection_info, manager, registration)
            finally:
                if not registered:
                    await _discard(manager)
        if registered:
            return connection_info, manager
        logger.info("Kernel %s has not registered, and is launched again", self.kernel_id)
        self._registration = None
        return await super()._launch()

    def _open_registration(self) -> RegistrationSocket:
        # The launch of any other kernel needs neither libzmq nor messages.
        from ._registration import RegistrationSocket

        with self._errors_in("No socket can be had for the registration of the kernel"):
            self._registration = RegistrationSocket(self._address())
        return self._registration

    async def _complete(
        self,
        connection_info: ConnectionInfo,
        manager: KernelManager,
        registration: RegistrationSocket,
    ) -> bool:
        ports = await self._registered(manager, registration, connection_info.get("key", ""))
        if ports is None:
            return False
        content = cast("dict[str, object]", connection_info)
        del content["registration_port"]
        content.update(ports)
        path = self._connection_file()
        with self._file_errors_in("The connection file cannot be written", path):
            replace_connection_file(path, connection_info)
        return True

    async def _registered(
        self, manager: KernelManager, registration: RegistrationSocket, key: str
    ) -> dict[str, int] | None:
        from anyio import create_task_group, move_on_after

        ports: dict[str, int] | None = None
        async with create_task_group() as tasks:

            async def give_up_at_exit() -> None:
                await manager.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(give_up_at_exit)
            with move_on_after(self.handshake_timeout):
                ports = await registration.receive(key)
            tasks.cancel_scope.cancel()
        return ports


async def _discard(manager: KernelManager) -> None:
    from anyio import move_on_after

    with move_on_after(_DISCARD_MOST, shield=True):
        await manager.kill()
        await manager.cleanup()
