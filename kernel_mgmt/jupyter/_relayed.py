"""The relay in front of the kernels of a jupyter_client manager, which cannot reach them itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from ._relay_thread import RelayThread

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("RelayInFront",)

# How long a kernel that cannot be used may take to go (seconds).
_KILL_MOST = 10.0


class RelayInFront:
    """Has programs reach one kernel after the other where they expect them; whoever has it closes it."""

    def __init__(self) -> None:
        self._relay: RelayThread | None = None
        self._has_own_file = False

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._relay is not None

    async def serve(
        self,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC,
        asked: ConnectionInfo | None,
    ) -> ConnectionInfo:
        """Serve programs with a kernel, in the place of the one before.

        :param asked: where to listen if it does not yet; anew at ports that are free when ``None``
        :return: how programs reach it
        :raises OSError: if it cannot listen there
        """
        if asked is None or self._relay is None:
            await self.close()
            self._relay = await to_thread.run_sync(RelayThread, asked)
        await to_thread.run_sync(self._relay.serve, connection_info, manager)
        return self._relay.connection_info

    async def serve_launched(
        self,
        program: Any,
        connection_info: ConnectionInfo,
        manager: KernelManagerABC,
        asked: ConnectionInfo | None,
    ) -> ConnectionInfo:
        """Serve as :meth:`serve` does; if that fails, the kernel is ended.

        :param program: the manager as jupyter_client has it, which gets a connection file of its own
        """
        if not self._has_own_file:
            _leave_file_to_kernel(program, manager)
            self._has_own_file = True
        try:
            return await self.serve(connection_info, manager, asked)
        except BaseException:
            with anyio.move_on_after(_KILL_MOST, shield=True):
                await manager.kill()
                await manager.cleanup()
            await self.close()
            raise

    async def clean_up(self, *, restart: bool) -> None:
        """Close, unless a kernel follows where programs have reached the one that has ended."""
        # At a restart, too, jupyter_client removes the files of ipc sockets.
        if self._relay and (not restart or self._relay.connection_info["transport"] == "ipc"):
            await self.close()

    async def close(self) -> None:
        """Close, once what was sent has left or a second has passed."""
        relay, self._relay = self._relay, None
        if relay is not None:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(relay.close)


def _leave_file_to_kernel(program: Any, manager: KernelManagerABC) -> None:
    """Have jupyter_client write another connection file than the one that the kernel is to read."""
    taken = manager.describe().get("connection_file") or program.connection_file
    if program.connection_file in ("", taken):
        stem, suffix = os.path.splitext(taken)
        program.connection_file = f"{stem}-relay{suffix}"
