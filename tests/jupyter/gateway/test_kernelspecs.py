"""The kernelspecs of a gateway, in a Jupyter Server."""

from __future__ import annotations

import pytest
from tornado.web import HTTPError
from traitlets import Any as AnyTrait
from traitlets import HasTraits, Unicode
from traitlets.config import Configurable

from kernel_mgmt.jupyter.gateway import GatewayKernelSpecManager
from tests.providers.gateway.rest_server import Fault, RestServer

pytestmark = pytest.mark.anyio


class Kernels(HasTraits):
    """What holds the kernels of a server."""

    default_kernel_name = Unicode("another")


class App(Configurable):
    """A server."""

    base_url = Unicode("/mine/")
    kernel_manager = AnyTrait()


@pytest.fixture
def app() -> App:
    return App(kernel_manager=Kernels())


async def test_kernelspecs_are_listed_without_a_server(rest: RestServer) -> None:
    manager = GatewayKernelSpecManager()
    listed = await manager.list_kernel_specs()

    assert listed["default"] == "python3"
    assert listed["kernelspecs"] == await manager.get_all_specs() == rest.kernelspecs


async def test_resources_are_where_the_server_has_them(rest: RestServer, app: App) -> None:
    manager = GatewayKernelSpecManager(parent=app)
    listed = (await manager.get_all_specs())["python3"]["resources"]
    alone = (await manager.get_kernel_spec("python3"))["resources"]

    assert listed == alone == {"logo-64x64": "/mine/kernelspecs/python3/logo-64x64.png"}


async def test_the_server_takes_over_the_default_of_the_gateway(rest: RestServer, app: App) -> None:
    await GatewayKernelSpecManager(parent=app).get_all_specs()

    assert app.kernel_manager.default_kernel_name == "python3"


async def test_a_user_gets_one_kernelspec_and_not_the_listing(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERNEL_USERNAME", "bob & co")
    found = await GatewayKernelSpecManager().get_kernel_spec("python3")

    assert found["name"] == "python3"
    assert rest.seen[-1].path == "/base/api/kernelspecs/python3"
    assert rest.seen[-1].query == {"user": ["bob & co"]}


async def test_an_unknown_kernelspec_is_a_key_error(rest: RestServer) -> None:
    with pytest.raises(KeyError, match="nonsense"):
        await GatewayKernelSpecManager().get_kernel_spec("nonsense")


async def test_no_file_of_a_kernelspec_is_looked_for_on_this_machine(rest: RestServer) -> None:
    found = await GatewayKernelSpecManager().get_kernel_spec("python3")

    with pytest.raises(KeyError):
        _ = found.resource_dir


async def test_a_resource_is_fetched_from_the_gateway(rest: RestServer) -> None:
    manager = GatewayKernelSpecManager()

    assert await manager.get_kernel_spec_resource("python3", "logo-64x64.png") == b"a picture"
    assert await manager.get_kernel_spec_resource("python3", "kernel.js") is None


async def test_what_the_gateway_refuses_is_the_answer_of_the_server(rest: RestServer) -> None:
    rest.tokens = {"another"}

    with pytest.raises(HTTPError, match="credentials") as caught:
        await GatewayKernelSpecManager().get_all_specs()
    assert caught.value.status_code == 401


async def test_a_gateway_that_fails_is_no_unknown_kernelspec(rest: RestServer) -> None:
    rest.faults += [Fault("GET", 500, "out of order")]

    with pytest.raises(HTTPError, match="out of order") as caught:
        await GatewayKernelSpecManager().get_kernel_spec("python3")
    assert caught.value.status_code == 500
