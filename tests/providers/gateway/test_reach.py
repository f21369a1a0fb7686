"""Servers behind TLS and behind proxies, and what a missing extra and the end of a run do."""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from kernel_mgmt import ClientClosedError, ConnectionLostError, KernelClient, Request
from tests.launchers.conftest import nothing_is_left, runtime_dir, started_zmq

from .fake_server import FakeConnection, FakeServer, kernel
from .relay import Proxy
from .remote import client_of, printed

__all__ = ("nothing_is_left", "runtime_dir", "started_zmq")

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file with the certificate of the authority."""
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def context(authority: trustme.CA, tmp_path: Path) -> ssl.SSLContext:
    """For a server that the authority vouches for."""
    issued = authority.issue_cert("127.0.0.1", "gateway.invalid")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context


@pytest.fixture
def secure_server(context: ssl.SSLContext) -> Iterator[FakeServer]:
    with FakeServer(kernel, context=context) as server:
        yield server


async def hello(url: str, **more: Any) -> str:
    info: Any = {"transport": "websocket", "url": url, **more}
    with anyio.fail_after(60):
        async with KernelClient(info) as client:
            return await printed(client, "hello")


async def test_a_server_is_trusted_whose_certificate_is_known(
    secure_server: FakeServer, trusted: str
) -> None:
    text = await hello(secure_server.url, verify=trusted)

    assert text == "hello"


async def test_a_server_that_is_not_trusted_is_given_up_at_once(
    secure_server: FakeServer,
) -> None:
    with pytest.raises(ConnectionLostError, match="certificate verify failed"):
        await hello(secure_server.url)

    assert secure_server.requests == []


async def test_any_server_is_trusted_on_demand(secure_server: FakeServer) -> None:
    text = await hello(secure_server.url, verify=False)

    assert text == "hello"


async def test_a_client_shows_its_certificate(
    authority: trustme.CA, context: ssl.SSLContext, trusted: str, tmp_path: Path
) -> None:
    mine = authority.issue_cert("somebody@example.org")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")
    context.load_verify_locations(trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    files = {"client_cert": str(tmp_path / "cert.pem"), "client_key": str(tmp_path / "key.pem")}
    with FakeServer(kernel, context=context) as server:
        text = await hello(server.url, verify=trusted, **files)

    assert text == "hello"


async def test_a_certificate_that_cannot_be_read_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        await hello("wss://127.0.0.1/", verify=str(tmp_path / "nothing.pem"))


async def test_a_large_message_goes_and_comes_over_tls(
    secure_server: FakeServer, trusted: str
) -> None:
    info: Any = {"transport": "websocket", "url": secure_server.url, "verify": trusted}
    with anyio.fail_after(60):
        async with KernelClient(info) as client:
            text = await printed(client, "x" * 3_000_000)

    assert len(text) == 3_000_000


@pytest.mark.parametrize("secure", [False, True])
async def test_a_server_is_reached_by_the_proxy_that_the_environment_names(
    secure: bool, context: ssl.SSLContext, trusted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        FakeServer(kernel, context=context if secure else None) as server,
        Proxy(f"http://127.0.0.1:{server.port}") as proxy,
    ):
        monkeypatch.setenv("https_proxy" if secure else "http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "elsewhere.invalid")
        url = f"{'wss' if secure else 'ws'}://gateway.invalid:1234/api"
        text = await hello(url, verify=trusted)

    assert text == "hello"
    assert proxy.asked[0].startswith("CONNECT gateway.invalid:1234 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=\r\n" in proxy.asked[0]


async def test_no_proxy_leads_to_this_machine_or_to_an_exempted_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kernel_mgmt.transports._proxy import proxy_for

    monkeypatch.setenv("http_proxy", "http://proxy.invalid")
    monkeypatch.setenv("no_proxy", "exempted.invalid")
    hosts = ["localhost", "127.0.0.1", "::1", "here.exempted.invalid", "gateway.invalid"]

    proxies = [proxy_for(host, 80, secure=False) for host in hosts]

    assert proxies == [None, None, None, None, "http://proxy.invalid"]


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        ("HTTP/1.1 407 Who are you?", "http", "407"),
        ("HTTP/1.1 200 Fine", "socks5", "socks5"),
    ],
)
async def test_a_proxy_that_refuses_or_cannot_be_used_is_named(
    answer: str, kind: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeServer(kernel) as server, Proxy("http://127.0.0.1:1", answer) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("http", kind))
        server.url = "ws://gateway.invalid/api"
        async with client_of(server) as client:
            with pytest.raises(ConnectionLostError, match=reason):
                await client.wait_for_ready()


async def test_a_header_that_is_none_is_refused() -> None:
    with FakeServer(kernel) as server, pytest.raises(ConnectionLostError, match="line break"):
        await hello(server.url, headers={"Authorization": "token a\r\nX: b"})

    assert server.requests == []


def test_a_missing_extra_is_named_with_the_line_that_installs_it() -> None:
    code = (
        "import sys; sys.modules['websockets'] = None; import kernel_mgmt\n"
        "try: kernel_mgmt.KernelClient({'transport': 'websocket', 'url': 'ws://host/'})\n"
        "except ImportError as error: print(error, error.name)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert "pip install 'kernel-mgmt[gateway]'" in result.stdout


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_end_of_a_run_ends_a_client_that_is_open(backend: str) -> None:
    requests: list[Request] = []

    async def run(server: FakeServer) -> None:
        client = KernelClient({"transport": "websocket", "url": server.url})
        await client.wait_for_ready(30)
        requests.append(client.execute("hello"))
        kept.append(client)

    kept: list[KernelClient] = []
    with FakeServer(kernel) as server:
        anyio.run(run, server, backend=backend)

        assert isinstance(kept[0].failure, ClientClosedError)
    assert server.faults == []


async def test_a_client_that_nobody_holds_is_closed_with_a_warning() -> None:
    with FakeServer(kernel) as server, anyio.fail_after(60):
        clients = [KernelClient({"transport": "websocket", "url": server.url})]
        await clients[0].wait_for_ready()

        with pytest.warns(ResourceWarning, match="was not closed"):
            clients.clear()


async def test_a_task_that_is_cancelled_while_it_waits_takes_nothing_from_others() -> None:
    with FakeServer(kernel) as server:
        async with client_of(server) as client:
            requests = [client.execute(f"number {number}") for number in range(20)]
            for request in requests:
                with anyio.move_on_after(0):
                    await request
            texts = [(await request.outputs())[0]["text"] for request in requests]

    assert texts == [f"number {number}" for number in range(20)]


async def test_closing_right_after_opening_leaves_nothing() -> None:
    with FakeServer(kernel) as server:
        for yields in range(12):
            async with client_of(server) as client:
                client.connect()
                for _ in range(yields):
                    await anyio.lowlevel.checkpoint()


async def test_closing_is_not_held_up_by_a_server_that_takes_nothing() -> None:
    waited: list[bool] = []
    finished = threading.Event()

    def script(connection: FakeConnection) -> None:
        connection.accept()
        waited.append(finished.wait(30))

    before = {task.id for task in anyio.get_running_tasks()}
    with FakeServer(script) as server:
        async with client_of(server) as client:
            for _ in range(20):
                client.execute("x" * 1_000_000)
            while not client.is_connected:
                await anyio.sleep(0.001)
            for _ in range(3):
                await anyio.wait_all_tasks_blocked()
            client.close()
            while {task.id for task in anyio.get_running_tasks()} - before:
                await anyio.sleep(0.001)
        finished.set()

    assert waited == [True]
