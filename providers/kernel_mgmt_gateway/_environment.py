"""The gateway that the environment variables of Jupyter's programs name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

from ._settings import GatewaySettings

__all__ = ("settings_from_environment",)

_PREFIX = "JUPYTER_GATEWAY_"


def settings_from_environment(environ: Mapping[str, str]) -> GatewaySettings | None:
    """Make the settings that ``JUPYTER_GATEWAY_URL`` and its relatives tell.

    Names and defaults are those of jupyter_server; nothing is written to the environment.

    :return: ``None`` if no gateway is named
    :raises ValueError: if a variable has a value of no use; it is not told
    """
    if not environ.get(_PREFIX + "URL"):
        return None
    values: dict[str, Any] = {}
    for variable, (setting, read) in _VARIABLES.items():
        text = environ.get(variable)
        if text is None or (text == "" and setting not in _MAY_BE_EMPTY):
            continue
        try:
            values[setting] = read(text)
        except ValueError as error:
            # The value may be a secret, and so may what the error says of it.
            reason = f"the environment variable {variable} is of no use: it is no {_KIND[read]}"
            raise ValueError(reason) from (None if read is _headers else error)
    return GatewaySettings(**_completed(values))


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    if values.get("auth_scheme") in ("", "None"):
        values["auth_scheme"] = None
    return values


def _text(text: str) -> str:
    return text


def _integer(text: str) -> int:
    return int(text)


def _number(text: str) -> float:
    return float(text)


def _is_not_no(text: str) -> bool:
    # Anything else means yes, as jupyter_server has it.
    return text.lower() not in ("no", "false")


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in text.split(","))))


def _headers(text: str) -> dict[str, str]:
    found: object = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no JSON object")
    return {str(key): str(value) for key, value in cast("dict[object, object]", found).items()}


_KIND: dict[Callable[[str], Any], str] = {
    _integer: "whole number",
    _number: "number",
    _headers: "JSON object",
}
_MAY_BE_EMPTY = ("auth_scheme",)

# Of two variables for one setting, the latter goes before.
_VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "GATEWAY_WS_PING_INTERVAL_SECS": ("ping_interval", _number),
    "JUPYTER_GATEWAY_ACCEPT_COOKIES": ("accept_cookies", _is_not_no),
    "JUPYTER_GATEWAY_ENV_WHITELIST": ("allowed_envs", _names),
    "JUPYTER_GATEWAY_ALLOWED_ENVS": ("allowed_envs", _names),
    "JUPYTER_GATEWAY_AUTH_HEADER_KEY": ("auth_header_key", _text),
    "JUPYTER_GATEWAY_AUTH_SCHEME": ("auth_scheme", _text),
    "JUPYTER_GATEWAY_AUTH_TOKEN": ("auth_token", _text),
    "JUPYTER_GATEWAY_CA_CERTS": ("ca_certs", _text),
    "JUPYTER_GATEWAY_CLIENT_CERT": ("client_cert", _text),
    "JUPYTER_GATEWAY_CLIENT_KEY": ("client_key", _text),
    "JUPYTER_GATEWAY_CONNECT_TIMEOUT": ("connect_timeout", _number),
    "JUPYTER_GATEWAY_HEADERS": ("headers", _headers),
    "JUPYTER_GATEWAY_HTTP_PWD": ("http_pwd", _text),
    "JUPYTER_GATEWAY_HTTP_USER": ("http_user", _text),
    "JUPYTER_GATEWAY_KERNELSPECS_ENDPOINT": ("kernelspecs_endpoint", _text),
    "JUPYTER_GATEWAY_KERNELSPECS_RESOURCE_ENDPOINT": ("kernelspecs_resource_endpoint", _text),
    "JUPYTER_GATEWAY_KERNELS_ENDPOINT": ("kernels_endpoint", _text),
    "JUPYTER_GATEWAY_LAUNCH_TIMEOUT_PAD": ("launch_timeout_pad", _number),
    "JUPYTER_GATEWAY_MAX_REQUEST_RETRIES": ("request_retries", _integer),
    "JUPYTER_GATEWAY_REQUEST_TIMEOUT": ("request_timeout", _number),
    "JUPYTER_GATEWAY_RETRY_INTERVAL": ("retry_interval", _number),
    "JUPYTER_GATEWAY_RETRY_INTERVAL_MAX": ("retry_interval_max", _number),
    "JUPYTER_GATEWAY_RETRY_MAX": ("retry_max", _integer),
    "JUPYTER_GATEWAY_TOKEN_RENEWER_CLASS": ("token_renewer", _text),
    "JUPYTER_GATEWAY_URL": ("url", _text),
    "JUPYTER_GATEWAY_VALIDATE_CERT": ("validate_cert", _is_not_no),
    "JUPYTER_GATEWAY_WS_URL": ("ws_url", _text),
    "KERNEL_LAUNCH_TIMEOUT": ("launch_timeout", _number),
}
