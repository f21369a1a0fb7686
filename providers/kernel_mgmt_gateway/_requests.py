"""Requests to the REST interface of a gateway: headers, retries, and errors that say what to do."""

from __future__ import annotations

import json
import logging
import ssl
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import Request as CookieRequest

from ._credentials import Credentials
from ._errors import GatewayError, GatewayUnreachableError
from ._failures import failure_of, refusal_of

if TYPE_CHECKING:
    import httpx2

    from ._settings import GatewaySettings

__all__ = ("Answer", "Requests")

log = logging.getLogger(__name__)

# What a proxy answers for a gateway that is not there just now.
PASSING = (502, 503, 504)
_RETRIED_METHODS = ("GET", "DELETE")
_PAUSE = 0.1


class Answer(NamedTuple):
    """What a gateway has answered."""

    status: int
    content: bytes

    def json(self) -> Any:
        """The content.

        :raises ValueError: if it is no JSON
        """
        return json.loads(self.content)


class Requests:
    """Sends requests to one gateway, from whatever event loop.

    Each request has a connection of its own, so that nothing is left open.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.credentials = Credentials(settings)
        allowed = None if settings.accept_cookies else ()
        self._cookies = CookieJar(DefaultCookiePolicy(allowed_domains=allowed))
        self._trust: ssl.SSLContext | None = None

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        timeout: float | None = None,
        accepted: tuple[int, ...] = (),
    ) -> Answer:
        """Send a request, and return the answer.

        What can be repeated without harm, GET and DELETE, is, if a connection fails or a proxy
        answers in place of the gateway. Where credentials are refused (401), others are tried once.

        :param path: from the url of the gateway on
        :param body: is sent as JSON, unless it is ``None``
        :param timeout: in seconds; the ``request_timeout`` when ``None``
        :param accepted: the statuses of failure that are returned, not raised
        :raises GatewayError: if there is no such answer
        """
        await self._load()
        left = self.settings.request_retries if method in _RETRIED_METHODS else 0
        pause = _PAUSE
        while True:
            answer = await self._attempt(method, path, query, body, timeout, is_last=not left)
            if answer is not None and (not left or answer.status not in PASSING):
                break
            await _sleep(pause)
            left, pause = left - 1, 2 * pause
        if answer.status < 300 or answer.status in accepted:
            return answer
        raise refusal_of(self.settings, self.credentials, answer.status, answer.content)

    async def ssl_context(self) -> ssl.SSLContext | None:
        """Whom to trust, and how to show oneself; ``None`` where nothing is encrypted.

        :raises GatewayError: if a file of certificates is of no use
        """
        if self._trust is None and self.is_encrypted:
            from anyio import to_thread

            # It reads files.
            self._trust = await to_thread.run_sync(_make_context, self.settings)
        return self._trust

    @property
    def is_encrypted(self) -> bool:
        """Whether anything of the gateway is reached over TLS."""
        return self.settings.url.startswith("https:") or self.settings.websocket_url.startswith(
            "wss:"
        )

    @property
    def known_ssl_context(self) -> ssl.SSLContext | None:
        """What :meth:`ssl_context` has returned."""
        return self._trust

    async def websocket_headers(self, renew: bool = False) -> dict[str, str]:
        """Return the headers for a websocket: those of the other requests, with their cookies.

        :param renew: whether the credentials of the last one were refused
        """
        return self.with_cookies(await self.credentials.headers(renew))

    def with_cookies(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Add the cookies that the gateway has set, such as those of a sticky session."""
        request = CookieRequest(self.settings.url + self.settings.kernels_endpoint)
        self._cookies.add_cookie_header(request)
        cookie = request.get_header("Cookie")
        return {**headers, "Cookie": cookie} if cookie else dict(headers)

    async def _load(self) -> None:
        """Load what talks to gateways, in a thread, since the event loop would wait for it."""
        if "httpcore2" in sys.modules:
            return
        from anyio import to_thread

        try:
            # The former loads the latter at its first use only.
            for module in ("httpx2", "httpcore2"):
                await to_thread.run_sync(import_module, module)
        except ImportError as error:
            reason = f"cannot be asked without {error.name}: pip install 'kernel-mgmt[gateway]'"
            raise GatewayError(self.settings.url, reason) from error

    async def _attempt(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object,
        timeout: float | None,
        is_last: bool,
    ) -> Answer | None:
        """Send a request once, or twice with renewed credentials; ``None`` without a connection."""
        import httpx2

        send = partial(self._send, method, path, query, body, timeout)
        try:
            answer = await send(renew=False)
            if answer.status == 401 and self.credentials.can_renew:
                answer = await send(renew=True)
        except GatewayError:
            raise
        except (httpx2.TransportError, httpx2.InvalidURL, OSError) as error:
            is_passing = isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError)
            if is_last or not is_passing:
                raise failure_of(self.settings, error) from error
            log.debug("%s %s failed, and is repeated: %s", method, path, type(error).__name__)
            return None
        log.debug("%s %s of the gateway %s: %d", method, path, self.settings.label, answer.status)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object,
        timeout: float | None,
        *,
        renew: bool,
    ) -> Answer:
        headers = await self.credentials.headers(renew)
        async with await self._client(timeout) as client:
            url = self.settings.url + path
            response = await client.request(method, url, params=query, json=body, headers=headers)
            return Answer(response.status_code, response.content)

    async def _client(self, timeout: float | None) -> httpx2.AsyncClient:
        import httpx2

        settings = self.settings
        limit = settings.request_timeout if timeout is None else timeout
        connect = min(settings.connect_timeout, limit)
        context = await self.ssl_context()
        return httpx2.AsyncClient(
            # Without encryption nothing is verified, and no certificate need be loaded for that.
            verify=False if context is None else context,
            cookies=self._cookies,
            timeout=httpx2.Timeout(limit, connect=connect),
        )


async def _sleep(seconds: float) -> None:
    from anyio import sleep

    await sleep(seconds)


def _make_context(settings: GatewaySettings) -> ssl.SSLContext:
    with _named(settings, f"ca_certs {settings.ca_certs!r}"):
        context = ssl.create_default_context(cafile=settings.ca_certs)
    if not settings.validate_cert:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.client_cert:
        files = f"client_cert {settings.client_cert!r} and client_key {settings.client_key!r}"
        with _named(settings, files):
            context.load_cert_chain(settings.client_cert, settings.client_key)
    return context


@contextmanager
def _named(settings: GatewaySettings, files: str) -> Generator[None]:
    """Name the files in the error of what cannot be loaded."""
    try:
        yield
    except OSError as error:
        reason = f"is not asked: {files} cannot be loaded ({error.strerror or error})"
        raise GatewayUnreachableError(settings.url, reason) from error
