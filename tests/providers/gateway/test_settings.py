"""What the configuration and the environment tell of gateways."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from kernel_mgmt import KernelFinder
from kernel_mgmt.exceptions import ProviderLoadError
from kernel_mgmt_gateway import GatewayKernelProvider, GatewaySettings
from kernel_mgmt_gateway._credentials import Credentials
from kernel_mgmt_gateway._environment import settings_from_environment

URL = "https://http-gw.Example.com/Base/Path"
P = "JUPYTER_GATEWAY_"


def of_environment(**variables: str) -> GatewaySettings:
    environ = {P + "URL": URL, **variables}
    before = dict(environ)
    settings = settings_from_environment(environ)

    assert settings is not None
    assert environ == before
    return settings


def headers_of(**values: Any) -> dict[str, str]:
    return Credentials(GatewaySettings(URL, **values)).current


def test_the_url_of_websockets_has_another_scheme_and_the_same_case() -> None:
    assert GatewaySettings(URL).websocket_url == "wss://http-gw.Example.com/Base/Path"


def test_the_url_of_websockets_can_be_another() -> None:
    assert GatewaySettings(URL, ws_url="ws://other/").websocket_url == "ws://other"


def test_without_a_scheme_for_its_token_a_header_has_the_token_alone() -> None:
    assert headers_of(auth_token="abcd", auth_scheme=None) == {"Authorization": "abcd"}


def test_without_a_token_there_is_no_header() -> None:
    assert headers_of() == {}


def test_a_token_has_the_scheme_and_the_header_that_are_set() -> None:
    headers = headers_of(auth_token="abcd", auth_scheme="Bearer", auth_header_key="X-Auth")

    assert headers == {"X-Auth": "Bearer abcd"}


def test_a_header_that_is_given_goes_before_the_token() -> None:
    headers = headers_of(auth_token="abcd", headers={"authorization": "mine"})

    assert headers == {"authorization": "mine"}


def test_a_password_makes_a_basic_authorization() -> None:
    headers = headers_of(http_user="Aladdin", http_pwd="open sesame")

    assert headers == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}


def test_credentials_in_the_url_are_taken_out_of_it() -> None:
    settings = GatewaySettings("http://me:mine@lab:8888/?token=abcd#x")

    assert settings.url == "http://lab:8888"
    assert (settings.http_user, settings.http_pwd) == ("me", "mine")
    assert settings.auth_token == "abcd"


@pytest.mark.parametrize(
    ("variable", "text", "setting", "value"),
    [
        (P + "WS_URL", "wss://other", "ws_url", "wss://other"),
        (P + "KERNELS_ENDPOINT", "/k", "kernels_endpoint", "/k"),
        (P + "KERNELSPECS_ENDPOINT", "/s", "kernelspecs_endpoint", "/s"),
        (P + "KERNELSPECS_RESOURCE_ENDPOINT", "/r/", "kernelspecs_resource_endpoint", "/r"),
        (P + "CONNECT_TIMEOUT", "1.5", "connect_timeout", 1.5),
        (P + "REQUEST_TIMEOUT", "2", "request_timeout", 2.0),
        (P + "LAUNCH_TIMEOUT_PAD", "3", "launch_timeout_pad", 3.0),
        (P + "CLIENT_CERT", "c.pem", "client_cert", "c.pem"),
        (P + "CA_CERTS", "ca.pem", "ca_certs", "ca.pem"),
        (P + "VALIDATE_CERT", "no", "validate_cert", False),
        (P + "VALIDATE_CERT", "False", "validate_cert", False),
        (P + "VALIDATE_CERT", "0", "validate_cert", True),
        (P + "HTTP_USER", "me", "http_user", "me"),
        (P + "HTTP_PWD", "mine", "http_pwd", "mine"),
        (P + "HEADERS", '{"X-A": "b"}', "headers", {"X-A": "b"}),
        (P + "AUTH_HEADER_KEY", "X-Auth", "auth_header_key", "X-Auth"),
        (P + "AUTH_TOKEN", "abcd\n", "auth_token", "abcd"),
        (P + "AUTH_SCHEME", "Bearer", "auth_scheme", "Bearer"),
        (P + "AUTH_SCHEME", "", "auth_scheme", None),
        (P + "TOKEN_RENEWER_CLASS", "a.B", "token_renewer", "a.B"),
        (P + "ALLOWED_ENVS", "A, B", "allowed_envs", ("A", "B")),
        (P + "ENV_WHITELIST", "A", "allowed_envs", ("A",)),
        (P + "RETRY_INTERVAL", "0.5", "retry_interval", 0.5),
        (P + "RETRY_INTERVAL_MAX", "9", "retry_interval_max", 9.0),
        (P + "RETRY_MAX", "7", "retry_max", 7),
        (P + "MAX_REQUEST_RETRIES", "99", "request_retries", 10),
        (P + "ACCEPT_COOKIES", "true", "accept_cookies", True),
        ("KERNEL_LAUNCH_TIMEOUT", "90", "launch_timeout", 90.0),
        ("GATEWAY_WS_PING_INTERVAL_SECS", "5", "ping_interval", 5.0),
    ],
)
def test_each_variable_of_jupyter_is_honoured(
    variable: str, text: str, setting: str, value: object
) -> None:
    assert getattr(of_environment(**{variable: text}), setting) == value


def test_a_key_belongs_to_the_certificate_of_the_client() -> None:
    both = {P + "CLIENT_CERT": "c.pem", P + "CLIENT_KEY": "k.pem"}

    assert of_environment(**both).client_key == "k.pem"
    with pytest.raises(ValueError, match="client_cert"):
        of_environment(**{P + "CLIENT_KEY": "k.pem"})


def test_no_variable_means_no_gateway() -> None:
    assert settings_from_environment({P + "AUTH_TOKEN": "abcd"}) is None


def test_a_launch_has_more_time_than_the_kernel_has_to_start() -> None:
    assert of_environment(KERNEL_LAUNCH_TIMEOUT="90").time_for_launch == 92
    assert of_environment(**{P + "REQUEST_TIMEOUT": "120"}).time_for_launch == 120


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        (P + "HEADERS", '{"X": "very secret"'),
        (P + "HEADERS", '"very secret"'),
        (P + "AUTH_TOKEN", "very\nsecret"),
        (P + "AUTH_TOKEN", "very sécret"),
        (P + "HEADERS", '{"X": "very\\nsecret"}'),
    ],
)
def test_a_value_of_no_use_is_told_without_the_value(variable: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"HEADERS|header") as caught:
        of_environment(**{variable: text})
    error: BaseException | None = caught.value
    while error is not None:
        assert "cret" not in str(error)
        error = error.__cause__


def test_no_secret_is_shown() -> None:
    settings = GatewaySettings(
        URL, auth_token="abcd", http_pwd="efgh", headers={"X": "ijkl"}, http_user="me"
    )

    assert not [secret for secret in ("abcd", "efgh", "ijkl") if secret in repr(settings)]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"url": URL, "tocken": "x"}, "no setting 'tocken'"),
        ({}, "needs a url"),
        ({"url": "lab:8888"}, "begins with http"),
        ({"url": URL, "request_timeout": "soon"}, "request_timeout should be of type float"),
        ({"url": URL, "poll_interval": 0}, "poll_interval should be more than 0"),
        ({"url": URL, "retry_max": True}, "retry_max should be of type int"),
        ({"url": URL, "allowed_envs": 3}, "allowed_envs should be a list"),
        ({"url": URL, "headers": {"X": 3}}, "headers should be a table"),
        ({"url": URL, "ws_url": "http://x"}, "ws_url"),
    ],
)
def test_a_setting_of_no_use_is_told(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        GatewaySettings.from_mapping(values)


def test_the_configuration_names_several_gateways(tmp_path: Path) -> None:
    (tmp_path / "kernel_mgmt.toml").write_text(
        "[providers.gateway]\nrequest_timeout = 5\n"
        '[providers.gateway.gateways.lab]\nurl = "http://lab:8888"\n'
        '[providers.gateway.gateways.grid]\nurl = "https://grid"\nauth_scheme = "Bearer"\n'
    )
    finder = KernelFinder.from_entrypoints(config_path=[tmp_path])
    provider = finder.load_provider("gateway")
    assert isinstance(provider, GatewayKernelProvider)
    lab, grid = provider.settings

    assert (lab.id, lab.url, lab.request_timeout) == ("lab", "http://lab:8888", 5.0)
    assert (grid.id, grid.auth_scheme, grid.request_timeout) == ("grid", "Bearer", 5.0)


def test_a_configuration_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(P + "URL", "http://other")
    provider = GatewayKernelProvider()
    provider.load_config({"url": "http://lab"})

    assert [settings.url for settings in provider.settings] == ["http://lab"]


def test_a_gateway_of_the_environment_needs_no_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(P + "URL", URL)
    before = dict(os.environ)
    provider = GatewayKernelProvider()
    provider.load_config(None)

    assert [settings.url for settings in provider.settings] == [URL]
    assert dict(os.environ) == before


def test_what_is_wrong_with_the_configuration_is_a_problem_of_the_provider() -> None:
    config = {"providers": {"gateway": {"url": "http://lab", "tocken": "abcd"}}}
    finder = KernelFinder.from_entrypoints(config=config)
    with pytest.raises(ProviderLoadError, match="there is no setting 'tocken'"):
        finder.load_provider("gateway")


def test_an_id_that_cannot_be_told_from_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'my\.lab'"):
        GatewaySettings(URL, id="my.lab")
