"""The manager of a kernel that runs on a gateway."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from kernel_mgmt.abc import KernelManagerABC
from kernel_mgmt.exceptions import KernelGoneError
from kernel_mgmt.types import ExitStatus

from ._end import End
from ._errors import GatewayError, SignalUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel_mgmt.abc import TransportABC
    from kernel_mgmt.records import KernelRecord
    from kernel_mgmt.types import JSONDict

    from ._gateway import Gateway
    from ._kernels import RemoteKernel

__all__ = ("GatewayKernelManager",)

log = logging.getLogger(__name__)


class GatewayKernelManager(KernelManagerABC):
    """Holds one kernel that runs on a gateway.

    The gateway starts it again by itself when it crashes. It has ended when the gateway gives that
    up, or does not know it any more: somebody has ended it then, so that no restarter starts it
    again. How it ended, a gateway does not tell.

    :param kernel: what the gateway tells of it
    :param kernel_id: the id of the kernel for this program; the gateway's when ``None``
    :param is_owned: whether it is to be ended by whoever has the manager
    :param record: what :meth:`describe` tells; a file of it is removed when the kernel has ended

    :ivar remote_id: the id of the kernel on the gateway
    """

    def __init__(
        self,
        gateway: Gateway,
        kernel: RemoteKernel,
        *,
        kernel_id: str | None = None,
        is_owned: bool = False,
        record: KernelRecord | None = None,
    ) -> None:
        self.kernel_id = kernel.id if kernel_id is None else kernel_id
        self.remote_id = kernel.id
        self.interrupt_mode = "signal"
        self.connection_info = gateway.connection_info(kernel.id, kernel.name)
        self._gateway = gateway
        self._end = End()
        self._polled_at = monotonic()
        self._is_owned = is_owned
        self._record = record
        self._is_out_of_reach = False

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the kernel ended, without a code; ``None`` while it runs, or as nobody has looked."""
        return self._end.status

    async def model(self) -> RemoteKernel | None:
        """Ask the gateway for the kernel.

        :return: ``None`` if it has ended
        :raises GatewayError: if the gateway does not tell
        """
        if self._end.status is not None:
            return None
        kernel = await self._gateway.kernel(self.remote_id)
        self._polled_at = monotonic()
        if kernel is None:
            self._is_gone()
        elif kernel.execution_state == "dead":
            self._has_ended(ExitStatus(tail=kernel.reason or ""))
            return None
        return kernel

    async def is_alive(self) -> bool:
        """Ask the gateway whether the kernel runs.

        :raises GatewayError: if the gateway does not tell
        """
        return await self.model() is not None

    async def wait(self) -> bool:
        """Wait until the kernel has ended; the gateway is asked every ``poll_interval`` seconds.

        While the gateway is out of reach, the kernel is taken to run.
        """
        interval = self._gateway.settings.poll_interval
        while self._end.status is None:
            is_woken = await self._end.wait(self._polled_at + interval - monotonic())
            if is_woken or monotonic() >= self._polled_at + interval:
                await self._look()
        return False

    async def signal(self, signum: int) -> None:
        """Interrupt the kernel, if the signal is SIGINT.

        :raises SignalUnsupportedError: if it is another
        """
        if signum == signal.SIGINT:
            await self.interrupt()
        elif self._end.status is None:
            raise SignalUnsupportedError(self.kernel_id, signum)

    async def interrupt(self) -> None:
        """Have the gateway interrupt the kernel, in the way of its kernelspec."""
        if self._end.status is None and not await self._gateway.interrupt(self.remote_id):
            self._is_gone()

    async def restart(self) -> None:
        """Have the gateway end the kernel and start it again, where all its clients are.

        It returns when the kernel answers, as far as the gateway can tell.

        :raises KernelGoneError: if the kernel has ended
        """
        if self._end.status is not None or await self._gateway.restart(self.remote_id) is None:
            self._is_gone()
            raise KernelGoneError(self._gateway.websocket_url(self.remote_id))

    async def kill(self) -> None:
        """Have the gateway end the kernel: it asks it to, and then kills it.

        :raises GatewayError: if the gateway does not
        """
        self.asked_to_end = True
        if self._end.status is None:
            await self._gateway.delete(self.remote_id)
            self._has_ended(ExitStatus())

    async def terminate(self) -> None:
        """Do the same as :meth:`kill`, which is all that a gateway can do."""
        await self.kill()

    def describe(self) -> JSONDict:
        """Return the kernel's record as a plain dict, without secrets; empty if it has none."""
        return {} if self._record is None else replace(self._record, launch=None).to_dict()

    def make_transport(
        self,
        *,
        session: str,
        starting: bool = False,
        heartbeat: bool = False,
        allow_unsigned: bool = False,
    ) -> TransportABC:
        """Make a transport that asks for renewed credentials, and tells of the kernel's end."""
        from ._transport import ManagedTransport

        return ManagedTransport(self._gateway, self.remote_id, session, self)

    def look_soon(self) -> None:
        """Have those who wait ask the gateway, because there is reason to."""
        self._end.wake()

    async def _look(self) -> None:
        self._polled_at = monotonic()
        try:
            await self.model()
        except GatewayError as error:
            if not self._is_out_of_reach:
                log.warning("whether the kernel %s runs cannot be told: %s", self.kernel_id, error)
            self._is_out_of_reach = True
        else:
            self._is_out_of_reach = False

    def _is_gone(self) -> None:
        self.asked_to_end = True
        self._has_ended(ExitStatus())

    def _has_ended(self, status: ExitStatus) -> None:
        # A kernel that follows it has its id, and may have written its record by then.
        if self._record is not None and self._end.status is None:
            from ._record import remove_record

            remove_record(self.kernel_id)
        self._end.come(status)

    def __repr__(self) -> str:
        state = "running" if self._end.status is None else "ended"
        where = self._gateway.settings.label
        return f"<{type(self).__name__} {self.kernel_id} on {where} {state}>"

    def __del__(self, is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        if getattr(self, "_is_owned", False) and self._end.status is None and not is_finalizing():
            message = f"{self!r} was dropped while its kernel runs; kill it, or let it persist"
            warnings.warn(message, ResourceWarning, stacklevel=2, source=self)
