"""Messages over the WebSocket of a Jupyter Server or gateway."""

from __future__ import annotations

import logging
import os
import random
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit

import anyio

from kernel_mgmt._backend import Reading, current_event_loop
from kernel_mgmt.abc import TransportABC
from kernel_mgmt.exceptions import (
    ClientClosedError,
    ConnectionLostError,
    CredentialsRefusedError,
    KernelGoneError,
    KernelManagementError,
)
from kernel_mgmt.wire import WireError

try:
    from ._websocket_link import LinkLostError, UpgradeRefusedError, WebSocketLink
    from ._websocket_session import WebSocketSession
except ModuleNotFoundError as error:
    raise ImportError(
        f"A kernel behind a WebSocket needs {error.name}: pip install 'kernel-mgmt[gateway]'",
        name=error.name,
    ) from error

if TYPE_CHECKING:
    from kernel_mgmt.abc import Buffer, Received
    from kernel_mgmt.types import Channel, ConnectionInfo

__all__ = ("Authorize", "KeepAlive", "Reconnection", "WebSocketTransport", "websocket_transport")

log = logging.getLogger(__name__)

_REFUSED = (401, 403)
_GONE = (404, 410)
# Statuses that may be others the next time.
_PASSING = (408, 425, 429)

Authorize: TypeAlias = Callable[[bool], Awaitable[Mapping[str, str]]]
"""Gives the headers for a connection; told ``True``, those with renewed credentials."""


@dataclass(frozen=True)
class Reconnection:
    """How often, and how soon, a connection that is lost is made again.

    The pauses double from the first to the longest, and each is shortened by up to half at random.

    :ivar pause: the first of the pauses, in seconds
    :ivar longest_pause: in seconds
    :ivar tries: how many tries in a row may fail after the first
    """

    pause: float = 1.0
    longest_pause: float = 30.0
    tries: int = 5

    def pause_before(self, tried: int) -> float:
        """Return how long to wait before the next try, in seconds, by how many have failed."""
        longest = min(self.longest_pause, self.pause * 2.0 ** min(tried, 64))
        return longest * random.uniform(0.5, 1.0)


@dataclass(frozen=True)
class KeepAlive:
    """How a connection is found to be dead.

    :ivar interval: how long nothing may arrive before the server is pinged, in seconds
    :ivar timeout: how long nothing may arrive after a ping before the connection is given up
    """

    interval: float = 30.0
    timeout: float = 30.0


class WebSocketTransport(TransportABC):
    """Carries all channels over one WebSocket, and makes that again when it breaks.

    The server keeps for the session what comes while there is no connection, and sends it with the
    next; what comes twice then is received once. What is to be sent waits for the next connection.
    A message that was on its way when the connection broke is sent again where that does no harm,
    or else given to :attr:`undelivered`, unless the kernel answers it.

    :param url: that of the channels of the kernel, ``ws(s)://host/base/api/kernels/<id>/channels``
    :param session: the id of the client's session, which no other client may have
    :param authorize: asked for the headers of each connection; asked again, with ``True``, once, if
        the server refuses them
    :param ssl: whom to trust, and how to show oneself; the default of Python when ``None``
    :param connect_timeout: how long making a connection may take, in seconds; a server may let the
        first one wait until its kernel has started
    :raises ValueError: if the URL is not one of a WebSocket
    """

    def __init__(
        self,
        url: str,
        *,
        session: str,
        authorize: Authorize,
        ssl: ssl_module.SSLContext | None = None,
        reconnection: Reconnection | None = None,
        keep_alive: KeepAlive | None = None,
        connect_timeout: float = 60.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise ValueError("the URL of a WebSocket begins with ws:// or wss://, and a host")
        # A query, or a user, may hold credentials, which belong into no message.
        self._name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self._url = f"{url}{'&' if parts.query else '?'}session_id={quote(session, safe='')}"
        self._authorize = authorize
        self._ssl = ssl
        if ssl is None and parts.scheme == "wss":
            self._ssl = ssl_module.create_default_context()
        self._reconnection = reconnection or Reconnection()
        self._keep_alive = keep_alive or KeepAlive()
        self._connect_timeout = connect_timeout
        self._session: WebSocketSession | None = None
        self._reading: Reading | None = None
        self._scope: anyio.CancelScope | None = None
        self._closed = False
        self._lingers = False
        self._failed_tries = 0
        self._reason = ""
        self._failure: Callable[[], Exception] | None = None

    def open(
        self,
        received: Received,
        ended: Callable[[], None],
        watch: Callable[[], Awaitable[None]],
    ) -> None:
        self._session = WebSocketSession(received, self._tell_undelivered, self._proved, self._drop)
        self._ended = ended
        self._scope = anyio.CancelScope()
        self._reading = current_event_loop().read({}, ended, partial(self._run, watch))

    def send(self, channel: Channel, parts: Sequence[Buffer]) -> None:
        if self._session is None or self._closed:
            raise ClientClosedError
        if channel == "hb":
            self._session.beat()
        else:
            self._session.send(channel, parts)

    def discard(self) -> None:
        if self._session is not None:
            self._session.discard()

    @property
    def connected(self) -> bool:
        """Whether the WebSocket is open, which all channels share."""
        return self._session is not None and self._session.link is not None

    @property
    def failure(self) -> Callable[[], Exception] | None:
        return self._failure

    def close(self) -> None:
        self._close(lingers=True)

    def abort(self) -> None:
        self._close(lingers=False)

    def _close(self, *, lingers: bool) -> None:
        if not self._closed:
            self._closed = True
            self._lingers = lingers
            if self._scope is not None:
                self._scope.cancel()

    async def _run(self, watch: Callable[[], Awaitable[None]]) -> None:
        assert self._scope is not None
        assert self._session is not None
        try:
            with self._scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_run_beside, watch)
                    await self._keep_connected(self._session)
                    tasks.cancel_scope.cancel()
        finally:
            self._scope = None
        failed, self._closed = not self._closed, True
        assert self._reading is not None
        self._reading.stop()
        if failed:
            self._ended()

    async def _keep_connected(self, session: WebSocketSession) -> None:
        """Connect, serve, and connect again, until there is a failure."""
        renewed = renew = False
        while self._failure is None:
            try:
                link = await self._connect(renew, offer_v1=session.offers_v1)
            except UpgradeRefusedError as refusal:
                renew = refusal.status in _REFUSED and not renewed
                renewed = renewed or renew
                if not renew:
                    await self._take_refusal(refusal.status)
            except LinkLostError as error:
                renew = False
                await self._pause(str(error))
            else:
                renewed = renew = False
                await self._pause(await self._serve(session, link))

    async def _connect(self, renew: bool, *, offer_v1: bool) -> WebSocketLink:
        try:
            with anyio.fail_after(self._connect_timeout):
                headers = await self._headers(renew)
                return await WebSocketLink.connect(self._url, headers, self._ssl, offer_v1=offer_v1)
        except TimeoutError:
            raise LinkLostError(f"no answer within {self._connect_timeout:g} s") from None
        except (ssl_module.SSLCertVerificationError, ValueError) as error:
            # Another try would end in the same way.
            self._failure = partial(ConnectionLostError, self._name, str(error))
            raise LinkLostError from error

    async def _headers(self, renew: bool) -> Mapping[str, str]:
        try:
            return await self._authorize(renew)
        except KernelManagementError as error:
            self._failure = partial(_same, error)
            raise LinkLostError from error
        except Exception as error:
            log.exception("the credentials for %s cannot be had", self._name)
            raise LinkLostError(f"the credentials cannot be had: {error}") from error

    async def _serve(self, session: WebSocketSession, link: WebSocketLink) -> str:
        """Use a link until it is lost; return why it is."""
        session.begin(link)
        try:
            return await link.serve(session, self._keep_alive.interval, self._keep_alive.timeout)
        finally:
            await link.close(session if self._lingers else None)
            session.end()

    async def _take_refusal(self, status: int) -> None:
        if status in _REFUSED:
            self._failure = partial(CredentialsRefusedError, self._name, status)
        elif status in _GONE:
            self._failure = partial(KernelGoneError, self._name)
        elif status >= 500 or status in _PASSING:
            await self._pause(f"HTTP status {status}")
        else:
            reason = f"the server answers with HTTP status {status} instead of a WebSocket"
            self._failure = partial(ConnectionLostError, self._name, reason)

    async def _pause(self, reason: str) -> None:
        """Wait before the next try, or fail if there is none."""
        if self._failure is not None:
            return
        if self._failed_tries == self._reconnection.tries:
            self._failure = partial(ConnectionLostError, self._name, reason)
            return
        self._reason = reason
        pause = self._reconnection.pause_before(self._failed_tries)
        self._failed_tries += 1
        log.info("no connection to %s (%s); trying again in %.1f s", self._name, reason, pause)
        await anyio.sleep(pause)

    def _proved(self) -> None:
        self._failed_tries = 0

    def _drop(self, error: WireError) -> None:
        self.dropped += 1
        if self.dropped == 1:
            log.warning(
                "dropped what came from %s: %s (further ones are counted)", self._name, error
            )

    def _tell_undelivered(self, parts: Sequence[Buffer]) -> None:
        if self.undelivered is None:
            log.warning("a message to %s may be lost", self._name)
        else:
            reason = f"{self._reason}, when the message was on its way: it may have arrived or not"
            self.undelivered(parts, partial(ConnectionLostError, self._name, reason))


def websocket_transport(connection_info: ConnectionInfo, *, session: str) -> WebSocketTransport:
    """Make the transport that a connection info describes.

    :raises ValueError: if it has no ``url``, or names certificates that cannot be read
    """
    url = connection_info.get("url")
    if not url:
        raise ValueError("the connection info has no url")
    headers = dict(connection_info.get("headers", {}))

    async def authorize(renew: bool) -> Mapping[str, str]:
        return headers

    context = _ssl_context(connection_info) if url.startswith("wss:") else None
    return WebSocketTransport(url, session=session, authorize=authorize, ssl=context)


def _ssl_context(connection_info: ConnectionInfo) -> ssl_module.SSLContext:
    verify = connection_info.get("verify", True)
    certificate = connection_info.get("client_cert")
    try:
        context = ssl_module.create_default_context(
            cafile=verify if isinstance(verify, str) and not os.path.isdir(verify) else None,
            capath=verify if isinstance(verify, str) and os.path.isdir(verify) else None,
        )
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl_module.CERT_NONE
        if certificate:
            context.load_cert_chain(certificate, connection_info.get("client_key"))
    except OSError as error:
        raise ValueError(f"a certificate of the connection info cannot be read: {error}") from error
    return context


async def _run_beside(function: Callable[[], Awaitable[None]]) -> None:
    await function()


def _same(error: Exception) -> Exception:
    return error
