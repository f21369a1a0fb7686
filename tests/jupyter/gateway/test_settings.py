"""The settings of jupyter_server's gateway client, as our provider heeds them."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.gateway.gateway_client import GatewayClient, GatewayTokenRenewerBase

from kernel_mgmt.jupyter.gateway._settings import gateway, gateway_provider

pytestmark = pytest.mark.anyio

URL = "https://http-gw.Example.com/Base/Path"


class Renewer(GatewayTokenRenewerBase):
    """Makes another token of each."""

    def get_token(
        self, auth_header_key: str, auth_scheme: str | None, auth_token: str, **_: Any
    ) -> str:
        return f"{auth_token}+"


async def headers(**settings: Any) -> dict[str, str]:
    GatewayClient.instance(url=URL, **settings)
    return await gateway().requests.websocket_headers()


def test_the_url_of_websockets_keeps_the_case_of_the_url_and_its_host() -> None:
    GatewayClient.instance(url=URL)

    url = gateway().websocket_url("an-id")

    assert url == "wss://http-gw.Example.com/Base/Path/api/kernels/an-id/channels"


def test_a_url_of_websockets_that_is_set_is_used() -> None:
    GatewayClient.instance(url=URL, ws_url="wss://Elsewhere/WS")

    assert gateway().websocket_url("an-id") == "wss://Elsewhere/WS/api/kernels/an-id/channels"


@pytest.mark.parametrize("scheme", [None, "None", ""])
async def test_nothing_stands_before_a_token_without_a_scheme(scheme: str | None) -> None:
    shown = await headers(auth_header_key="X-Api-Key", auth_scheme=scheme, auth_token="a-key")

    assert shown == {"X-Api-Key": "a-key"}


async def test_no_token_is_shown_where_there_is_none() -> None:
    assert await headers(headers='{"X-Team": "blue"}') == {"X-Team": "blue"}


async def test_a_token_is_shown_though_the_headers_are_none() -> None:
    assert await headers(headers=None, auth_token="abc") == {"Authorization": "token abc"}


async def test_a_token_renewer_of_jupyter_server_is_asked_before_each_request() -> None:
    first = await headers(auth_token="abc", gateway_token_renewer_class=Renewer)
    second = await gateway().requests.websocket_headers()

    assert first["Authorization"] == "token abc+"
    assert second["Authorization"] == "token abc++"


def test_all_have_one_provider_until_a_setting_changes() -> None:
    client = GatewayClient.instance(url=URL, gateway_token_renewer_class=Renewer)
    first, second = gateway_provider(), gateway_provider()
    client.auth_token = "another"

    assert second is first
    assert gateway_provider() is not first


def test_headers_that_are_no_object_are_refused_and_not_told() -> None:
    GatewayClient.instance(url=URL, headers='{"Authorization": "secret"')

    with pytest.raises(ValueError, match="should be a JSON object") as caught:
        gateway()
    assert "secret" not in str(caught.value)


def test_without_a_url_it_is_told_what_to_set() -> None:
    with pytest.raises(ValueError, match="JUPYTER_GATEWAY_URL"):
        gateway()
