"""Credentials: the same for REST and websockets, renewed when they are refused, told to nobody."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trustme

from kernel_mgmt_gateway import (
    GatewayCredentialsError,
    GatewayKernelProvider,
    GatewaySettings,
    GatewayUnreachableError,
)
from kernel_mgmt_gateway._gateway import Gateway

from .rest_server import RestServer, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def gateway() -> Iterator[RestServer]:
    with rest_server() as gateway:
        yield gateway


def settings_of(gateway: RestServer, **values: Any) -> GatewaySettings:
    return GatewaySettings(gateway.url, **values)


class Renewer:
    """A renewer as jupyter_server knows it."""

    def get_token(self, key: str, scheme: str | None, token: str, **more: Any) -> str:
        assert (key, scheme) == ("Authorization", "token")
        return {"": "first", "first": "second"}.get(token, token)


class AsynchronousRenewer(Renewer):
    async def get_token(self, *arguments: Any, **more: Any) -> str:  # type: ignore[override]
        await anyio.lowlevel.checkpoint()
        return super().get_token(*arguments)


class FailingRenewer:
    def get_token(self, *arguments: Any) -> str:
        raise RuntimeError("no token after", *arguments)


def new_token() -> str:
    return "new\n"


async def new_token_async() -> str:
    await anyio.lowlevel.checkpoint()
    return "new"


@pytest.mark.parametrize("renewer", [new_token, new_token_async])
async def test_a_token_that_is_refused_is_renewed_once(
    gateway: RestServer, renewer: Callable[[], Any]
) -> None:
    gateway.tokens = {"new"}
    provider = GatewayKernelProvider(
        [settings_of(gateway, auth_token="old", token_renewer=renewer)]
    )
    with anyio.fail_after(30):
        await provider.list_running()
        await provider.list_running()

    sent = [each.headers["Authorization"] for each in gateway.seen]
    assert sent == ["token old", "token new", "token new"]


async def test_a_token_that_is_refused_after_its_renewal_is_an_error(gateway: RestServer) -> None:
    gateway.tokens = {"another"}
    settings = settings_of(gateway, auth_token="old", token_renewer=new_token)
    with anyio.fail_after(30), pytest.raises(GatewayCredentialsError, match="refuses the cred"):
        await GatewayKernelProvider([settings]).list_running()

    assert len(gateway.seen) == 2


@pytest.mark.parametrize("renewer", ["Renewer", "AsynchronousRenewer"])
@pytest.mark.parametrize("separator", [".", ":"])
async def test_a_renewer_of_jupyter_is_asked_before_each_request(
    gateway: RestServer, renewer: str, separator: str
) -> None:
    settings = settings_of(gateway, token_renewer=f"{__name__}{separator}{renewer}")
    provider = GatewayKernelProvider([settings])
    with anyio.fail_after(30):
        for _ in range(2):
            await provider.list_running()

    sent = [each.headers["Authorization"] for each in gateway.seen]
    assert sent == ["token first", "token second"]


@pytest.mark.parametrize("renewer", [f"{__name__}.FailingRenewer", "no.such.Renewer"])
async def test_a_renewer_that_fails_leaves_the_old_token_and_is_logged_without_it(
    gateway: RestServer, caplog: pytest.LogCaptureFixture, renewer: str
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings_of(gateway, auth_token="very-old", token_renewer=renewer)
    with anyio.fail_after(30):
        await GatewayKernelProvider([settings]).list_running()

    assert gateway.last("GET").headers["Authorization"] == "token very-old"
    assert "token" in caplog.text
    assert "very-old" not in caplog.text


async def test_a_websocket_has_the_headers_of_the_other_requests(gateway: RestServer) -> None:
    gateway.cookies = ["sticky=a; Path=/base; Max-Age=60"]
    settings = settings_of(gateway, auth_token="abcd", headers={"X-A": "b"}, accept_cookies=True)
    asked = Gateway(settings)
    with anyio.fail_after(30):
        await asked.kernels()
        headers = await asked.requests.websocket_headers()

    assert headers == {"Authorization": "token abcd", "X-A": "b", "Cookie": "sticky=a"}
    assert asked.connection_info("1", "python3").get("headers") == headers


async def test_cookies_are_sent_again_until_they_expire(gateway: RestServer) -> None:
    gateway.cookies = ["sticky=a; Path=/; Max-Age=60", "old=b; Path=/; Max-Age=0"]
    provider = GatewayKernelProvider([settings_of(gateway, accept_cookies=True)])
    with anyio.fail_after(30):
        await provider.list_running()
        await provider.list_running()

    assert gateway.last("GET").headers["Cookie"] == "sticky=a"


async def test_cookies_are_not_kept_unless_they_are_accepted(gateway: RestServer) -> None:
    gateway.cookies = ["sticky=a; Path=/"]
    provider = GatewayKernelProvider([settings_of(gateway)])
    with anyio.fail_after(30):
        await provider.list_running()
        await provider.list_running()

    assert "Cookie" not in gateway.last("GET").headers


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, its key, and that of who vouches for it, in one file."""
    path = tmp_path_factory.mktemp("certificate") / "all.pem"
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
    authority.cert_pem.write_to_path(path, append=True)
    return path


@pytest.fixture
def secure_gateway(certificate: Path) -> Iterator[RestServer]:
    """A gateway that wants to see that certificate of its clients, too."""
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(certificate))
    trust.load_cert_chain(certificate)
    trust.verify_mode = ssl.CERT_OPTIONAL
    with rest_server(trust) as gateway:
        yield gateway


async def test_a_gateway_that_nobody_vouches_for_is_not_trusted(
    secure_gateway: RestServer,
) -> None:
    provider = GatewayKernelProvider([settings_of(secure_gateway)])
    with anyio.fail_after(30), pytest.raises(GatewayUnreachableError, match="set ca_certs"):
        await provider.list_running()


@pytest.mark.parametrize("how", ["ca_certs", "validate_cert", "client_cert"])
async def test_a_gateway_is_trusted_by_a_certificate_or_blindly(
    secure_gateway: RestServer, certificate: Path, how: str
) -> None:
    values: dict[str, dict[str, Any]] = {
        "ca_certs": {"ca_certs": str(certificate)},
        "validate_cert": {"validate_cert": False},
        "client_cert": {"ca_certs": str(certificate), "client_cert": str(certificate)},
    }
    asked = Gateway(settings_of(secure_gateway, **values[how]))
    with anyio.fail_after(30):
        kernels = await asked.kernels()

    assert kernels == []
    assert asked.connection_info("1", "python3").get("verify") in (str(certificate), False)


async def test_a_file_of_certificates_that_is_not_there_is_named(
    secure_gateway: RestServer, tmp_path: Path
) -> None:
    settings = settings_of(secure_gateway, ca_certs=str(tmp_path / "nope.pem"))
    with anyio.fail_after(30), pytest.raises(GatewayUnreachableError, match="ca_certs"):
        await GatewayKernelProvider([settings]).list_running()
