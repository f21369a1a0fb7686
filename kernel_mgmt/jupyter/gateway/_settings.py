"""The provider of the gateway that the settings of a Jupyter Server name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from jupyter_server.gateway.gateway_client import (
    GatewayClient,
    GatewayTokenRenewerBase,
    NoOpTokenRenewer,
    RetryableHTTPClient,
)

from kernel_mgmt.discovery._entry_points import load_class

if TYPE_CHECKING:
    from kernel_mgmt_gateway import GatewayKernelProvider
    from kernel_mgmt_gateway._gateway import Gateway

__all__ = ("gateway", "gateway_provider", "settings_of")

# Those that both know by one name.
_SAME = (
    "url",
    "kernels_endpoint",
    "kernelspecs_endpoint",
    "kernelspecs_resource_endpoint",
    "auth_token",
    "auth_header_key",
    "http_user",
    "http_pwd",
    "client_cert",
    "client_key",
    "ca_certs",
    "validate_cert",
    "accept_cookies",
    "allowed_envs",
    "connect_timeout",
    "request_timeout",
    "launch_timeout_pad",
)

# Launches on a gateway take turns, so that all who use its settings have one provider.
_providers: WeakKeyDictionary[GatewayClient, tuple[dict[str, Any], GatewayKernelProvider]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True)
class TokenRenewer:
    """Asks a token renewer that jupyter_server has configured, before each request."""

    renewer: GatewayTokenRenewerBase

    def __call__(self) -> str:
        """Return the token, for those who do not know the present one."""
        client = GatewayClient.instance()
        return self.get_token(client.auth_header_key, client.auth_scheme, client.auth_token or "")

    def get_token(self, auth_header_key: str, auth_scheme: str | None, auth_token: str) -> str:
        """Return a token that is valid now."""
        return self.renewer.get_token(auth_header_key, auth_scheme, auth_token)


def gateway_provider() -> GatewayKernelProvider:
    """Return the provider of the gateway that the settings name at present.

    :raises ValueError: if they name none, or one has a value of no use
    """
    client = GatewayClient.instance()
    values = settings_of(client)
    known = _providers.get(client)
    if known is None or known[0] != values:
        provider = _make_provider(values)
        known = _providers[client] = (values, provider)
    return known[1]


def gateway() -> Gateway:
    """Return the gateway that the settings name at present.

    :raises ValueError: if they name none, or one has a value of no use
    """
    return gateway_provider().gateway()


def settings_of(client: GatewayClient) -> dict[str, Any]:
    """Return the settings of jupyter_server as our provider has them.

    :raises ValueError: if no gateway is named, or the headers are no JSON
    """
    if not client.gateway_enabled:
        raise ValueError("no gateway is configured: set GatewayClient.url or JUPYTER_GATEWAY_URL")
    values: dict[str, Any] = {name: getattr(client, name) for name in _SAME}
    values |= {
        "ws_url": _chosen_ws_url(client),
        "auth_scheme": "" if client.auth_scheme in (None, "None") else client.auth_scheme,
        "headers": _headers(client.headers),
        "token_renewer": _renewer(client),
        "launch_timeout": float(client.KERNEL_LAUNCH_TIMEOUT),
        "request_retries": RetryableHTTPClient.max_retries,
        "retry_interval": client.gateway_retry_interval,
        "retry_interval_max": client.gateway_retry_interval_max,
        "retry_max": client.gateway_retry_max,
    }
    return {name: value for name, value in values.items() if value is not None}


def _make_provider(values: dict[str, Any]) -> GatewayKernelProvider:
    make = cast("type[GatewayKernelProvider]", load_class("gateway", "GatewayKernelProvider"))
    provider = make()
    provider.load_config(values)
    return provider


def _chosen_ws_url(client: GatewayClient) -> str | None:
    """Return the ``ws_url``, unless nobody has chosen it."""
    # jupyter_server derives it from the url in lower case, and replaces each "http" in that.
    derived = (client.url or "").lower().replace("http", "ws")
    return None if client.ws_url in (None, "", derived) else client.ws_url


def _headers(text: str | None) -> dict[str, str]:
    try:
        found: object = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        # The text may hold secrets.
        raise ValueError("GatewayClient.headers should be a JSON object")
    return {str(key): str(value) for key, value in cast("dict[object, object]", found).items()}


def _renewer(client: GatewayClient) -> TokenRenewer | None:
    renewer = client.gateway_token_renewer
    return None if type(renewer) is NoOpTokenRenewer else TokenRenewer(renewer)
