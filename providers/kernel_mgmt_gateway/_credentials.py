"""What shows a gateway who asks: tokens, which may be renewed, passwords and headers."""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Awaitable, Callable
from importlib import import_module
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from ._settings import is_header_value

if TYPE_CHECKING:
    from ._settings import GatewaySettings

__all__ = ("Credentials",)

log = logging.getLogger(__name__)


class Credentials:
    """Makes the headers of each request, the same for REST and for websockets.

    A token renewer is a class as jupyter_server knows it, whose ``get_token`` is asked before each
    request; or any other callable, which is asked where there is no token yet, and when one is
    refused. One that raises is logged, and the old token is used.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._token = settings.auth_token
        self._renew: Callable[[], object] | None = None
        self._is_asked_always = False
        self._is_resolved = settings.token_renewer is None

    @property
    def can_renew(self) -> bool:
        """Whether another token may be had when one is refused."""
        return self._settings.token_renewer is not None

    @property
    def are_there(self) -> bool:
        """Whether there is anything to show."""
        settings = self._settings
        return bool(self._token or settings.headers or settings.http_pwd or settings.client_cert)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be told to nobody."""
        return (*self._settings.secrets, *([self._token] if self._token else ()))

    @property
    def current(self) -> dict[str, str]:
        """The headers with the token that was valid last."""
        settings = self._settings
        headers = dict(settings.headers)
        given = {name.lower() for name in headers}
        if self._token and settings.auth_header_key.lower() not in given:
            scheme = f"{settings.auth_scheme} " if settings.auth_scheme else ""
            headers[settings.auth_header_key] = scheme + self._token
            given.add(settings.auth_header_key.lower())
        if settings.http_pwd is not None and "authorization" not in given:
            pair = f"{settings.http_user or ''}:{settings.http_pwd}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers

    async def headers(self, renew: bool = False) -> dict[str, str]:
        """Return the headers for a request.

        :param renew: whether those of the last one were refused
        """
        await self._resolve()
        if self._renew is not None and (renew or self._is_asked_always or not self._token):
            await self._ask()
        return self.current

    async def _resolve(self) -> None:
        if not self._is_resolved:
            from anyio import to_thread

            # An import of a stranger, which may take its time.
            await to_thread.run_sync(self._find_renewer)
            self._is_resolved = True

    def _find_renewer(self) -> None:
        try:
            renewer = _loaded(self._settings.token_renewer)
            if isinstance(renewer, type):
                renewer = cast("Callable[[], object]", renewer)()
            get_token = getattr(renewer, "get_token", None)
        except Exception as error:  # noqa: BLE001 - a stranger's class may raise anything
            log.error("the token renewer cannot be had: %s", type(error).__name__)
            return
        if get_token is None:
            self._renew = cast("Callable[[], object]", renewer)
        else:
            self._is_asked_always = True
            self._renew = lambda: self._ask_as_jupyter_does(get_token)

    def _ask_as_jupyter_does(self, get_token: Callable[..., object]) -> object:
        settings = self._settings
        return get_token(settings.auth_header_key, settings.auth_scheme, self._token)

    async def _ask(self) -> None:
        from anyio import to_thread

        renew = self._renew
        assert renew is not None
        try:
            # A thread may not return a coroutine as it is.
            (token,) = await to_thread.run_sync(lambda: (renew(),))
            if isawaitable(token):
                token = await cast("Awaitable[object]", token)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            # What it says may have the token in it.
            log.error("no new token for %s: %s", self._settings.url, type(error).__name__)
            return
        if isinstance(token, str) and is_header_value(token.strip()):
            self._token = token.strip()
        else:
            log.error("the new token for %s is none that a header can have", self._settings.url)


def _loaded(renewer: object) -> Any:
    """Return what a name such as ``package.module:function`` or ``package.module.Class`` means."""
    if not isinstance(renewer, str):
        return renewer
    module, _, attribute = renewer.partition(":")
    if not attribute:
        module, _, attribute = renewer.rpartition(".")
    return getattr(import_module(module), attribute)
