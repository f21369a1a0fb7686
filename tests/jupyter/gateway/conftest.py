"""Gateways for the classes of Jupyter Server: a real one, and one that does wrong on demand."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest
from jupyter_server.gateway.gateway_client import GatewayClient

from tests.providers.gateway.conftest import Server, running_server
from tests.providers.gateway.fake_server import FakeServer, Script
from tests.providers.gateway.rest_server import RestServer, rest_server


@pytest.fixture
def anyio_backend() -> str:
    """Run the tests on asyncio alone, on which Jupyter Server runs."""
    return "asyncio"


@pytest.fixture(scope="session")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Kernel Gateway."""
    with running_server("kernel_gateway", tmp_path_factory.mktemp("back")) as server:
        yield server


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test has the settings of jupyter_server that it makes."""
    monkeypatch.delenv("KERNEL_USERNAME", raising=False)
    GatewayClient.clear_instance()
    yield
    GatewayClient.clear_instance()


@pytest.fixture
def settings(back: Server) -> GatewayClient:
    """Those for the real gateway."""
    client: GatewayClient = GatewayClient.instance(url=back.url, auth_token=back.token)
    return client


@pytest.fixture
def rest() -> Iterator[RestServer]:
    """A gateway that tells what it was asked, and the settings for it."""
    with rest_server() as gateway:
        GatewayClient.instance(url=gateway.url, auth_token="the-token")
        yield gateway


@contextmanager
def faked(*scripts: Script) -> Generator[FakeServer]:
    """A gateway whose one kernel ``an-id`` does what scripts say, and the settings for it."""
    with rest_server() as rest, FakeServer(*scripts) as websockets:
        rest.kernels["an-id"] = {"id": "an-id", "name": "python3", "execution_state": "idle"}
        ws_url = websockets.url.partition("/api")[0]
        GatewayClient.instance(
            url=rest.url, ws_url=ws_url, auth_token="the-token", gateway_retry_interval=0.01
        )
        yield websockets
    assert websockets.faults == []
