"""A client of a kernel on a gateway that is an AsyncKernelClient of jupyter_client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from weakref import finalize

import anyio
import jupyter_client.client
from anyio import to_thread
from jupyter_client.manager import KernelManager
from jupyter_server.gateway import managers

from kernel_mgmt.jupyter._clients import AsyncKernelClient
from kernel_mgmt.jupyter._death import DeadKernelError

from ._channels import ChannelQueue, HBChannelQueue, wait_for_any
from ._line import Line
from ._settings import gateway_provider

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.jupyter._inbox import Message

__all__ = ("GatewayKernelClient",)


class GatewayKernelClient(AsyncKernelClient, managers.GatewayKernelClient):
    """Talks to one kernel over a WebSocket of the gateway.

    The requests are those of :class:`jupyter_client.AsyncKernelClient`. It belongs to one event loop of
    asyncio, and may be shared by many tasks of it.

    :param kernel_id: that of the kernel on the gateway
    :ivar channel_socket: the WebSocket; ``None`` unless the channels are started
    """

    channel_socket: Any
    kernel_id: Any

    def __init__(self, kernel_id: str, **kwargs: Any) -> None:
        cast("Any", super()).__init__(kernel_id=kernel_id, **kwargs)
        self._line = Line()
        self._finalize = finalize(self, self._line.close_soon)
        self._finalize.atexit = False

    async def start_channels(  # type: ignore[override]
        self,
        shell: bool = True,
        iopub: bool = True,
        stdin: bool = True,
        hb: bool = True,
        control: bool = True,
    ) -> None:
        """Connect to the kernel, which may take longer than this; what is sent meanwhile waits.

        :raises ReattachError: if the gateway does not know the kernel
        :raises GatewayError: if the gateway does not tell, or refuses the credentials
        """
        if self.channel_socket is None:
            await self._connect(await self._find_kernel())
        start: Any = vars(jupyter_client.client.KernelClient)["start_channels"]
        start(self, shell=shell, iopub=iopub, stdin=stdin, hb=hb, control=control)

    def stop_channels(self) -> None:
        """Close at once, and let go of what was not fetched; calling it again does nothing."""
        if self.channel_socket is None:
            return
        jupyter_client.client.KernelClient.stop_channels(self)
        self._line.close()
        self.channel_socket = None
        self._channels_stopped = True

    @property
    def shell_channel(self) -> ChannelQueue:
        """The channel of requests and their replies."""
        return self._channel("shell")

    @property
    def iopub_channel(self) -> ChannelQueue:
        """The channel of what the kernel publishes."""
        return self._channel("iopub")

    @property
    def stdin_channel(self) -> ChannelQueue:
        """The channel of questions to the user."""
        return self._channel("stdin")

    @property
    def control_channel(self) -> ChannelQueue:
        """The channel of requests that the kernel answers though it is busy."""
        return self._channel("control")

    @property
    def hb_channel(self) -> HBChannelQueue:
        """The channel that tells whether the kernel can be reached."""
        channel = self._channel("hb", HBChannelQueue)
        assert isinstance(channel, HBChannelQueue)
        return channel

    async def is_alive(self) -> bool:
        """Whether the kernel runs: the gateway is asked if the client is that of a manager."""
        if isinstance(self.parent, KernelManager):
            alive: bool = await cast("Any", self.parent).is_alive()
            return alive
        return self.hb_channel.is_beating()

    _async_is_alive = is_alive

    async def _find_kernel(self) -> KernelManagerABC:
        remote: KernelManagerABC | None = getattr(self.parent, "remote", None)
        return await gateway_provider().attach(self.kernel_id) if remote is None else remote

    async def _connect(self, manager: KernelManagerABC) -> None:
        if self._channels_stopped:
            self._begin_anew()
        try:
            # It waits for the thread, and may have to start it.
            await to_thread.run_sync(self._line.open, manager)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(self._line.close)
            self._channels_stopped = True
            raise
        self.channel_socket = self._line

    def _begin_anew(self) -> None:
        self._finalize.detach()
        self._line = Line()
        self._finalize = finalize(self, self._line.close_soon)
        self._finalize.atexit = False
        self._shell_channel = self._iopub_channel = self._stdin_channel = None
        self._control_channel = self._hb_channel = None
        self._channels_stopped = False

    def _channel(self, name: str, kind: type[ChannelQueue] = ChannelQueue) -> ChannelQueue:
        attribute = f"_{name}_channel"
        channel: ChannelQueue | None = getattr(self, attribute)
        if channel is None:
            channel = self._line.channels[name] = kind(name, self._line, self.log)
            setattr(self, attribute, channel)
        return channel

    async def _receive(
        self, channels: Sequence[Any], msg_id: str, until: float, before: int
    ) -> tuple[Any, Message]:
        while True:
            # What came before a failure is there when that is seen.
            failure = self._line.failure_of(msg_id, before)
            for channel in channels:
                if (message := channel.inbox.take(msg_id)) is not None:
                    return channel, message
            if failure is not None:
                raise failure()
            if (left := until - monotonic()) <= 0:
                raise Empty
            await wait_for_any(channels, left)

    def _lost(self) -> int:
        return self._line.lives

    async def _death(self, before: int) -> DeadKernelError | None:
        if (make := self._line.failure) is None:
            return None
        failure = make()
        if isinstance(failure, DeadKernelError):
            return failure
        raise failure

    async def _wait_for_any(self, channels: Iterable[Any], timeout: float) -> bool:
        return await wait_for_any(channels, timeout)
