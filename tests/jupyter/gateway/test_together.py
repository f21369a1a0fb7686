"""A Jupyter Server that has kernels of its own and those of a gateway, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.error import HTTPError

import pytest

from tests.jupyter.place import Place
from tests.jupyter.server import Server, run_server
from tests.providers.gateway import conftest as gateways

from .page import lead_a_life

CONFIG = """
[providers.gateway]
url = "{url}"
auth_token = "{token}"
"""


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory, back: gateways.Server) -> Iterator[Server]:
    """A server with nothing but what ``kernel-mgmt jupyter enable`` sets, and a gateway for us."""
    place = Place(tmp_path_factory.mktemp("front"))
    config = place.root / "config" / "kernel_mgmt.toml"
    config.parent.mkdir()
    config.write_text(CONFIG.format(url=back.url, token=back.token), encoding="utf-8")
    with run_server(place) as server:
        yield server

    assert place.left_behind() == []
    assert back.ask("GET", "/kernels") == []


def test_both_are_listed(front: Server) -> None:
    listed = front.get("/api/kernelspecs")["kernelspecs"]

    assert {"python3", "pyimport.kernel", "gateway.python3"} <= set(listed)


def test_the_logos_of_both_can_be_had(front: Server) -> None:
    listed = front.get("/api/kernelspecs")["kernelspecs"]
    logos = [listed[name]["resources"]["logo-64x64"] for name in ("python3", "gateway.python3")]

    assert all(front.ask(logo).startswith(b"\x89PNG") for logo in logos)


@pytest.mark.parametrize("name", ["python3", "gateway.python3"])
def test_no_file_is_given_out_but_those_of_the_kernel(front: Server, name: str) -> None:
    (front.place.work / "secret.txt").write_text("a secret", encoding="utf-8")

    with pytest.raises(HTTPError) as caught:
        front.ask(f"/kernelspecs/{name}/secret.txt")
    assert caught.value.code == 404
    caught.value.close()


@pytest.mark.parametrize("name", ["python3", "gateway.python3"])
def test_both_live(front: Server, name: str) -> None:
    lead_a_life(front, name)
