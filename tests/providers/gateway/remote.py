"""The client of a fake server, with little patience."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio

from kernel_mgmt import KernelClient, KernelManagerABC
from kernel_mgmt.abc import TransportABC
from kernel_mgmt.transports.websocket import (
    Authorize,
    KeepAlive,
    Reconnection,
    WebSocketTransport,
)
from kernel_mgmt.types import ConnectionInfo

from .fake_server import FakeServer

QUICK = Reconnection(pause=0.001, longest_pause=0.01, tries=3)


async def no_headers(renew: bool) -> Mapping[str, str]:
    return {}


class RemoteManager(KernelManagerABC):
    """Brings the transport to a kernel that never ends."""

    interrupt_mode = "message"

    def __init__(
        self,
        url: str,
        *,
        authorize: Authorize = no_headers,
        ssl: ssl.SSLContext | None = None,
        reconnection: Reconnection = QUICK,
        keep_alive: KeepAlive | None = None,
        connect_timeout: float = 30.0,
    ) -> None:
        self.kernel_id = "an-id"
        self._url = url
        self.connection_info = ConnectionInfo(transport="websocket", url=url)
        self._authorize = authorize
        self._ssl = ssl
        self._reconnection = reconnection
        self._keep_alive = keep_alive
        self._connect_timeout = connect_timeout

    def make_transport(
        self,
        *,
        session: str,
        starting: bool = False,
        heartbeat: bool = False,
        allow_unsigned: bool = False,
    ) -> TransportABC:
        return WebSocketTransport(
            self._url,
            session=session,
            authorize=self._authorize,
            ssl=self._ssl,
            reconnection=self._reconnection,
            keep_alive=self._keep_alive,
            connect_timeout=self._connect_timeout,
        )

    async def is_alive(self) -> bool:
        return True

    async def wait(self) -> bool:
        await anyio.sleep_forever()
        return False

    async def signal(self, signum: int) -> None:
        pass

    async def interrupt(self) -> None:
        pass

    async def kill(self) -> None:
        pass


@asynccontextmanager
async def client_of(
    server: FakeServer,
    *,
    authorize: Authorize = no_headers,
    ssl: ssl.SSLContext | None = None,
    reconnection: Reconnection = QUICK,
    keep_alive: KeepAlive | None = None,
    connect_timeout: float = 30.0,
    use_heartbeat: float | None = None,
) -> AsyncGenerator[KernelClient]:
    """A client of the kernel of a server; all that is done with it is done within a minute."""
    manager = RemoteManager(
        server.url,
        authorize=authorize,
        ssl=ssl,
        reconnection=reconnection,
        keep_alive=keep_alive,
        connect_timeout=connect_timeout,
    )
    with anyio.fail_after(60):
        async with KernelClient(
            manager.connection_info, manager, use_heartbeat=use_heartbeat
        ) as client:
            yield client


async def printed(client: KernelClient, code: str) -> str:
    """Run code, and return what it prints."""
    return "".join(output["text"] for output in await client.execute(code).outputs())
