"""What is to be known of one gateway."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

__all__ = ("GatewaySettings", "RenewToken")

RenewToken: TypeAlias = Callable[[], "str | Awaitable[str]"]
"""Gives a token that is valid now; plain, and then called in a thread, or a coroutine function."""

_ID = re.compile(r"[a-z0-9_-]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ENDPOINTS = ("kernels_endpoint", "kernelspecs_endpoint", "kernelspecs_resource_endpoint")
_POSITIVE = (
    "connect_timeout",
    "request_timeout",
    "launch_timeout",
    "listing_timeout",
    "poll_interval",
    "ping_interval",
)
_NOT_NEGATIVE = (
    "launch_timeout_pad",
    "request_retries",
    "retry_interval",
    "retry_interval_max",
    "retry_max",
    "cache_time",
)


@dataclass(frozen=True)
class GatewaySettings:
    """How one gateway is reached: a Jupyter Server, Kernel Gateway or Enterprise Gateway.

    Times are in seconds. The reference, ``docs/reference/gateway.md``, tells of each setting.

    :ivar url: as of the browser; a ``?token=``, or a user and password in it, are taken out of it
    :ivar id: names it among several; of the characters ``a-z``, ``0-9``, ``_`` and ``-``
    :raises ValueError: if a value is of no use; no secret is told
    """

    url: str
    id: str = ""
    ws_url: str | None = None
    kernels_endpoint: str = "/api/kernels"
    kernelspecs_endpoint: str = "/api/kernelspecs"
    kernelspecs_resource_endpoint: str = "/kernelspecs"
    auth_token: str = field(default="", repr=False)
    auth_scheme: str | None = "token"
    auth_header_key: str = "Authorization"
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    http_user: str | None = None
    http_pwd: str | None = field(default=None, repr=False)
    token_renewer: str | RenewToken | None = None
    accept_cookies: bool = False
    client_cert: str | None = None
    client_key: str | None = None
    ca_certs: str | None = None
    validate_cert: bool = True
    allowed_envs: tuple[str, ...] = ()
    user: str | None = None
    connect_timeout: float = 40.0
    request_timeout: float = 42.0
    launch_timeout: float = 40.0
    launch_timeout_pad: float = 2.0
    request_retries: int = 2
    retry_interval: float = 1.0
    retry_interval_max: float = 30.0
    retry_max: int = 5
    listing_timeout: float = 4.0
    cache_time: float = 10.0
    poll_interval: float = 10.0
    ping_interval: float = 30.0

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"the id {self.id!r} of a gateway is not of a-z, 0-9, _ and -")
        self._take_credentials_from_the_url()
        for name in _ENDPOINTS:
            self._set(name, "/" + getattr(self, name).strip("/"))
        self._set("auth_token", self.auth_token.strip())
        self._set("request_retries", min(self.request_retries, 10))
        self._check()

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], gateway_id: str = "") -> GatewaySettings:
        """Make the settings that a section of the configuration has.

        :raises ValueError: if there is no such setting, or one has a value of the wrong kind
        """
        known = {each.name: each.type for each in fields(cls) if each.name != "id"}
        for name in values.keys() - known.keys():
            raise ValueError(f"there is no setting {name!r}; use {', '.join(sorted(known))}")
        if not values.get("url"):
            raise ValueError("a gateway needs a url, such as http://localhost:8888")
        shaped = {name: _shaped(name, str(known[name]), value) for name, value in values.items()}
        return cls(id=gateway_id, **shaped)

    @property
    def label(self) -> str:
        """What people know the gateway by: its id, or else its host and port."""
        return self.id or urlsplit(self.url).netloc

    @property
    def websocket_url(self) -> str:
        """Where websockets are opened: ``ws_url``, or ``url`` with another scheme."""
        if self.ws_url:
            return self.ws_url.rstrip("/")
        # Only the scheme is another: a host may begin with "http", and a path has its case.
        return "ws" + self.url.removeprefix("http")

    @property
    def is_encrypted(self) -> bool:
        """Whether it is reached over TLS."""
        return self.url.startswith("https:") and self.websocket_url.startswith("wss:")

    @property
    def time_for_launch(self) -> float:
        """How long the gateway may take to answer a launch."""
        return max(self.request_timeout, self.launch_timeout + self.launch_timeout_pad)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be told to nobody, as far as the settings have it."""
        told = (self.auth_token, self.http_pwd or "", *self.headers.values())
        return tuple(secret for secret in told if len(secret) > 3)

    def _take_credentials_from_the_url(self) -> None:
        parts = urlsplit(self.url.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the url of a gateway begins with http:// or https:// and a host")
        host = parts.netloc.rpartition("@")[2]
        self._set("url", urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", "")))
        if parts.username and self.http_user is None:
            self._set("http_user", unquote(parts.username))
            self._set("http_pwd", unquote(parts.password or ""))
        token = parse_qs(parts.query).get("token")
        if token and not self.auth_token:
            self._set("auth_token", token[0])

    def _check(self) -> None:
        for name in _POSITIVE + _NOT_NEGATIVE:
            value = getattr(self, name)
            if not value >= 0 or (value == 0 and name in _POSITIVE):
                raise ValueError(f"the setting {name} should be more than 0, and is {value}")
        if self.ws_url and not self.ws_url.startswith(("ws://", "wss://")):
            raise ValueError("the ws_url of a gateway begins with ws:// or wss://")
        if self.client_key and not self.client_cert:
            raise ValueError("a client_key needs the client_cert that it belongs to")
        values = {**self.headers, self.auth_header_key: self.auth_token}
        for name, value in values.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of a header")
            if not is_header_value(value):
                raise ValueError(f"the value for the header {name!r} has characters that none may")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def is_header_value(value: str) -> bool:
    """Whether a header can have a value; what an HTTP library says of one that cannot, has it."""
    return value.isascii() and (value.isprintable() or not value)


def _shaped(name: str, kind: str, value: Any) -> Any:
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if name == "allowed_envs":
        return _names(value)
    if name == "headers":
        return _headers(value)
    if name == "token_renewer" and (isinstance(value, str) or callable(value)):
        return value
    types: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "str | None": (str,),
        "bool": (bool,),
        "int": (int,),
        "float": (float,),
    }
    # True is an int, and is none of these.
    if isinstance(value, types.get(kind, ())) and not (kind == "int" and isinstance(value, bool)):
        return value
    raise ValueError(f"the setting {name} should be of type {kind}, not {type(value).__name__}")


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(filter(None, (name.strip() for name in value.split(","))))
    if isinstance(value, list | tuple):
        names = cast("Iterable[object]", value)
        if all(isinstance(name, str) for name in names):
            return tuple(cast("Iterable[str]", names))
    raise ValueError("the setting allowed_envs should be a list of names")


def _headers(value: object) -> dict[str, str]:
    if isinstance(value, Mapping):
        headers = cast("Mapping[object, object]", value)
        if all(isinstance(text, str) for pair in headers.items() for text in pair):
            return dict(cast("Mapping[str, str]", headers))
    raise ValueError("the setting headers should be a table of strings")
