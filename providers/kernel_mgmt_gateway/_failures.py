"""What to say of a gateway that does not answer, or refuses, and what to do about it."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ._errors import (
    GatewayCredentialsError,
    GatewayError,
    GatewayTimeoutError,
    GatewayUnreachableError,
)

if TYPE_CHECKING:
    from ._credentials import Credentials
    from ._settings import GatewaySettings

__all__ = ("failure_of", "refusal_of")

_LONGEST = 300


def failure_of(settings: GatewaySettings, error: BaseException) -> GatewayError:
    """Make the error of a request that got no answer."""
    import httpx2

    if isinstance(error, httpx2.TimeoutException):
        if isinstance(error, httpx2.ConnectTimeout):
            reason = "cannot be reached in time; see whether a firewall is in the way"
        else:
            reason = "does not answer in time; see its log, or raise the request_timeout"
        return GatewayTimeoutError(settings.url, reason)
    return GatewayUnreachableError(settings.url, _why_unreachable(settings, error))


def refusal_of(
    settings: GatewaySettings, credentials: Credentials, status: int, content: bytes
) -> GatewayError:
    """Make the error of a request that was answered with a status of failure."""
    said = _without(credentials.secrets, _said(content))
    told = f" ({status}{f': {said}' if said else ''})"
    if status == 401:
        known = "refuses the credentials" if credentials.are_there else "asks for credentials"
        reason = f"{known}{told}; {_way_to_credentials(settings)}"
        return GatewayCredentialsError(settings.url, reason, status)
    if status == 403:
        # A Jupyter Server says so of a token that is missing or wrong; others mean the user.
        reason = f"does not allow this{told}; {_way_to_credentials(settings)}, or ask who runs it"
        return GatewayCredentialsError(settings.url, reason, status)
    if status == 404:
        reason = f"has nothing there{told}; correct its url, which may lack the base path"
        return GatewayError(settings.url, reason, status)
    if 300 <= status < 400:
        reason = f"leads elsewhere{told}; give the url that it leads to"
        return GatewayError(settings.url, reason, status)
    return GatewayError(settings.url, f"has failed{told}; see its log", status)


def _way_to_credentials(settings: GatewaySettings) -> str:
    if settings.id:
        return f"set auth_token of the gateway {settings.id!r} in kernel_mgmt.toml"
    return "set JUPYTER_GATEWAY_AUTH_TOKEN, or auth_token in kernel_mgmt.toml"


def _why_unreachable(settings: GatewaySettings, error: BaseException) -> str:
    causes = list(_causes(error))
    host = urlsplit(settings.url).hostname
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return f"cannot be found: the host {host!r} is not known; correct its url"
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"cannot be trusted: {cause.verify_message}; set ca_certs to the certificate of who "
                "vouches for it, or validate_cert to false to trust any"
            )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        told = next(cause.reason for cause in causes if isinstance(cause, ssl.SSLError))
        return f"cannot be spoken to over TLS ({told}); see whether its url begins with http://"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "is not there: nothing listens at its port; start it, or correct its url"
    return f"cannot be reached ({type(error).__name__}); see whether its url is right and it runs"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those behind it; a connection tries several addresses at once."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        if isinstance(cause, BaseExceptionGroup):
            waiting += cast("BaseExceptionGroup[BaseException]", cause).exceptions
        waiting += filter(None, (cause.__cause__, cause.__context__))


def _said(content: bytes) -> str:
    """What a server says of a failure, in Jupyter's way; nothing, if it is a page of HTML."""
    try:
        told: Any = json.loads(content)
    except ValueError:
        return ""
    if not isinstance(told, dict):
        return ""
    values = cast("dict[str, object]", told)
    said = values.get("message") or values.get("reason")
    line = " ".join(said.split()) if isinstance(said, str) else ""
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _without(secrets: tuple[str, ...], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
