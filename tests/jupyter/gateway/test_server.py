"""A Jupyter Server whose kernels are all on a gateway, by our classes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.error import HTTPError

import pytest

from tests.jupyter.place import Place
from tests.jupyter.server import Server, run_server
from tests.providers.gateway import conftest as gateways

from .page import lead_a_life, opened

OURS = {
    "kernel_manager_class": "GatewayMappingKernelManager",
    "kernel_spec_manager_class": "GatewayKernelSpecManager",
    "session_manager_class": "GatewaySessionManager",
    "kernel_websocket_connection_class": "GatewayWebSocketConnection",
}


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, back: gateways.Server) -> Iterator[Server]:
    """The server that pages know."""
    place = Place(tmp_path_factory.mktemp("front"))
    settings = [
        f"--ServerApp.{name}=kernel_mgmt.jupyter.gateway.{ours}" for name, ours in OURS.items()
    ]
    env = {"JUPYTER_GATEWAY_URL": back.url, "JUPYTER_GATEWAY_AUTH_TOKEN": back.token}
    with run_server(place, *settings, **env) as server:
        yield server

    assert place.left_behind() == []
    assert back.ask("GET", "/kernels") == []


def test_it_lists_the_kernelspecs_of_the_gateway(front: Server, back: gateways.Server) -> None:
    listed = front.get("/api/kernelspecs")["kernelspecs"]

    assert set(listed) == set(back.ask("GET", "/kernelspecs")["kernelspecs"])


def test_it_has_the_logos_of_the_gateway(front: Server) -> None:
    logos = front.get("/api/kernelspecs/python3")["resources"]

    assert front.ask(logos["logo-64x64"]).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "path", ["/api/kernelspecs/nonsense", "/kernelspecs/python3/nonsense.png", "/api/kernels/none"]
)
def test_what_the_gateway_does_not_have_is_not_found(front: Server, path: str) -> None:
    with pytest.raises(HTTPError) as caught:
        front.ask(path)

    assert caught.value.code == 404
    caught.value.close()


@pytest.mark.parametrize("v1", [True, False], ids=["v1", "json"])
def test_a_kernel_lives_there_as_one_of_the_server_would(front: Server, v1: bool) -> None:
    lead_a_life(front, "python3", v1=v1)


def test_a_session_starts_and_ends_its_kernel(front: Server, back: gateways.Server) -> None:
    about = {"path": "a.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    session = json.loads(front.ask("/api/sessions", about))
    running = [each["id"] for each in back.ask("GET", "/kernels")]
    front.ask(f"/api/sessions/{session['id']}", method="DELETE")

    assert running == [session["kernel"]["id"]]
    assert back.ask("GET", "/kernels") == []


def test_a_page_is_told_that_its_kernel_was_ended(front: Server) -> None:
    kernel_id = json.loads(front.ask("/api/kernels", {"name": "python3"}))["id"]
    with opened(front, kernel_id) as page:
        page.printed("print(1)")
        front.ask(f"/api/kernels/{kernel_id}", method="DELETE")

        while page.receive("status")["content"]["execution_state"] != "dead":
            pass
        assert page.wait_until_closed() == 1000
