"""Unmodified programs with a kernel of a real Jupyter Server behind a relay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from kernel_mgmt import _portal
from kernel_mgmt.jupyter.relay import relayed
from kernel_mgmt.types import ConnectionInfo
from tests.providers.gateway.conftest import Server, running_server

from .conftest import outputs_of


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server("jupyter_server", tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def kernel_id(server: Server) -> str:
    return server.start_kernel()


@pytest.fixture(scope="module")
def client(server: Server, kernel_id: str) -> Iterator[BlockingKernelClient]:
    """A client of the relay, which knows nothing of the server."""
    url = server.channels_url(kernel_id)
    info = ConnectionInfo(transport="websocket", url=url, headers=server.headers)
    with _portal.open_context(relayed(info)) as reached_by:
        assert "headers" not in reached_by
        client = BlockingKernelClient()
        info_of_relay: Any = {**reached_by}
        client.load_connection_info(info_of_relay)
        client.start_channels()
        client.wait_for_ready(timeout=60)
        yield client
        client.stop_channels()


def test_code_runs_asks_and_completes(client: BlockingKernelClient) -> None:
    ask: Any = client.complete
    outputs: list[dict[str, Any]] = []

    def answer(message: dict[str, Any]) -> None:
        client.input(message["content"]["prompt"])

    client.execute_interactive(
        "print(input('who? '))",
        stdin_hook=answer,
        output_hook=outputs.append,
        timeout=60,
    )

    texts = [each["content"]["text"] for each in outputs if each["msg_type"] == "stream"]
    assert "".join(texts) == "who? \n"
    assert ask("prin", reply=True, timeout=60)["content"]["matches"][0] == "print"
    assert client.is_alive()


def test_an_interrupt_and_a_restart_by_the_server_go_on_with_the_relay(
    client: BlockingKernelClient, server: Server, kernel_id: str
) -> None:
    client.execute("import time; print('busy', flush=True); time.sleep(600)")
    while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass
    server.ask("POST", f"/kernels/{kernel_id}/interrupt")
    interrupted = client.get_shell_msg(timeout=60)
    outputs_of(client, "a = 1")
    server.ask("POST", f"/kernels/{kernel_id}/restart")
    client.wait_for_ready(timeout=60)

    assert interrupted["content"]["ename"] == "KeyboardInterrupt"
    assert outputs_of(client, "a")[-1]["content"]["ename"] == "NameError"


def test_when_the_kernel_dies_its_code_is_answered_and_the_next_kernel_is_served(
    client: BlockingKernelClient,
) -> None:
    client.execute("import os; os._exit(3)")
    reply = client.get_shell_msg(timeout=60)
    client.wait_for_ready(timeout=60)
    outputs = outputs_of(client, "6 * 7")

    assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "KernelDiedError")
    assert outputs[-1]["content"]["data"]["text/plain"] == "42"
