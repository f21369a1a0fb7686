"""A Jupyter Server whose kernels are managed by our class, over REST and websocket."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from .place import Place
from .server import Server, run_server
from .websocket import WebSocket, channels

OUR_CLASS = "kernel_mgmt.jupyter.ServerKernelManager"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = Place(tmp_path_factory.mktemp("server"))
    setting = f"--AsyncMappingKernelManager.kernel_manager_class={OUR_CLASS}"
    with run_server(place, setting) as server:
        yield server

    assert place.left_behind() == []


@pytest.fixture(scope="module")
def kernel_id(server: Server) -> Iterator[str]:
    """A kernel that runs."""
    kernel_id: str = json.loads(server.ask("/api/kernels", {"name": "python3"}))["id"]
    yield kernel_id
    server.ask(f"/api/kernels/{kernel_id}", method="DELETE")


@pytest.fixture
def websocket(server: Server, kernel_id: str) -> Iterator[WebSocket]:
    with channels(server, kernel_id, None) as websocket:
        yield websocket


def test_a_page_executes_code_in_a_kernel_that_ours_has_launched(
    websocket: WebSocket, kernel_id: str
) -> None:
    code = "import os; print(6 * 7, os.environ['KERNEL_MGMT_KERNEL_ID'])"

    assert websocket.printed(code) == f"42 {kernel_id}\n"


def test_a_page_interrupts_the_kernel(server: Server, websocket: WebSocket, kernel_id: str) -> None:
    code = "import time; print('begun', flush=True); time.sleep(600)"
    request_id = websocket.execute(code)
    websocket.receive("stream", request_id)
    server.ask(f"/api/kernels/{kernel_id}/interrupt", {})

    assert websocket.receive("error", request_id)["content"]["ename"] == "KeyboardInterrupt"


def test_a_page_goes_on_after_a_restart(
    server: Server, websocket: WebSocket, kernel_id: str
) -> None:
    websocket.printed("x = 1; print(x)")
    server.ask(f"/api/kernels/{kernel_id}/restart", {})
    websocket.wait_until_it_is_heard()

    assert websocket.printed("print('x' in globals())") == "False\n"


def test_a_page_goes_on_after_a_crash(websocket: WebSocket) -> None:
    pid = int(websocket.printed("import os; print(os.getpid())"))
    os.kill(pid, signal.SIGKILL)
    websocket.wait_for_state("restarting")
    websocket.wait_until_it_is_heard()

    assert int(websocket.printed("import os; print(os.getpid())")) != pid


def test_a_kernel_type_of_a_provider_starts_and_ends(server: Server) -> None:
    kernel = json.loads(server.ask("/api/kernels", {"name": "pyimport.kernel"}))
    server.ask(f"/api/kernels/{kernel['id']}", method="DELETE")

    assert kernel["id"] not in [each["id"] for each in server.get("/api/kernels")]
