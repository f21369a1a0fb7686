"""The websocket of a kernel whose manager is there."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.transports.websocket import KeepAlive, Reconnection, WebSocketTransport

from ._errors import GatewayError

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, Received
    from kernel_mgmt.types import Channel

    from ._gateway import Gateway
    from ._manager import GatewayKernelManager

__all__ = ("ManagedTransport",)

log = logging.getLogger(__name__)


class ManagedTransport(WebSocketTransport):
    """Carries the messages, and lets the manager know when the kernel may have ended.

    A ``shutdown_request`` is not sent: a server starts a kernel again that has ended without its
    doing, so that it is the server who is asked to end it.
    """

    def __init__(
        self, gateway: Gateway, remote_id: str, session: str, manager: GatewayKernelManager
    ) -> None:
        settings, requests = gateway.settings, gateway.requests
        super().__init__(
            gateway.websocket_url(remote_id),
            session=session,
            authorize=requests.websocket_headers,
            ssl=requests.known_ssl_context,
            reconnection=Reconnection(
                settings.retry_interval, settings.retry_interval_max, settings.retry_max
            ),
            keep_alive=KeepAlive(settings.ping_interval, settings.ping_interval),
            connect_timeout=max(settings.connect_timeout, settings.time_for_launch),
        )
        self._manager = manager

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        look_soon = self._manager.look_soon

        def receive(channel: Channel, parts: Sequence[Buffer]) -> None:
            if channel == "iopub" and _tells_of_death(parts):
                look_soon()
            received(channel, parts)

        def end() -> None:
            look_soon()
            ended()

        super().open(receive, end, watch)

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        if channel in ("control", "shell") and _type_of(parts) == "shutdown_request":
            BackgroundTask(self._end_kernel)
        else:
            super().send(channel, parts)

    async def _end_kernel(self) -> None:
        try:
            await self._manager.kill()
        except GatewayError as error:
            log.warning("the kernel %s was not ended: %s", self._manager.kernel_id, error)


def _type_of(parts: Sequence[Buffer]) -> str | None:
    header = bytes(parts[0])
    # Most messages are none of these, and need not be decoded for that.
    if b"shutdown_request" not in header:
        return None
    return _read(header).get("msg_type")


def _tells_of_death(parts: Sequence[Buffer]) -> bool:
    content = parts[3]
    if len(content) > 200 or b'"dead"' not in bytes(content):
        return False
    return _read(bytes(content)).get("execution_state") == "dead"


def _read(part: bytes) -> Mapping[str, Any]:
    try:
        found: object = json.loads(part)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}
