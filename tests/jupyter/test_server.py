"""A Jupyter Server, as it is, with nothing but the setting that we write."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .place import Place
from .server import Server, run_server
from .websocket import V1, WebSocket, channels

# Otherwise it looks every three seconds whether a kernel has died.
QUICK = "--KernelRestarter.time_to_dead=0.2"
PRINT_ID = "import os; print(os.environ['KERNEL_MGMT_KERNEL_ID'])"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = Place(tmp_path_factory.mktemp("server"))
    with run_server(place, QUICK, JUPYTER_DEFAULT_PROVISIONER_NAME="kernel-mgmt") as server:
        yield server

    assert place.left_behind() == []


def test_it_lists_the_kernel_types_of_all_providers(server: Server) -> None:
    listed = server.get("/api/kernelspecs")["kernelspecs"]

    assert {"python3", "pyimport.kernel"} <= set(listed)
    assert listed["pyimport.kernel"]["spec"]["language"] == "python"


def test_the_logo_of_a_kernel_type_can_be_had(server: Server) -> None:
    resources = server.get("/api/kernelspecs/pyimport.kernel")["resources"]

    assert b"<svg" in server.ask(resources["logo-svg"])


def test_it_starts_and_ends_a_kernel_of_a_provider(server: Server) -> None:
    kernel = json.loads(server.ask("/api/kernels", {"name": "pyimport.kernel"}))
    running = [each["id"] for each in server.get("/api/kernels")]
    server.ask(f"/api/kernels/{kernel['id']}", method="DELETE")

    assert running == [kernel["id"]]
    assert server.get("/api/kernels") == []


@pytest.mark.parametrize(("name", "framing"), [("pyimport.kernel", V1), ("python3", None)])
def test_a_websocket_stays_with_its_kernel_through_all_that_befalls_it(
    server: Server, name: str, framing: str | None
) -> None:
    kernel_id = json.loads(server.ask("/api/kernels", {"name": name}))["id"]
    with channels(server, kernel_id, V1 if framing else None) as websocket:
        assert websocket.printed(PRINT_ID).strip() == kernel_id
        assert answer_to_a_question(websocket) == "forty-two\n"
        assert name_of_error_when_interrupted(server, kernel_id, websocket) == "KeyboardInterrupt"

        websocket.printed("before = 1; print(before)")
        server.ask(f"/api/kernels/{kernel_id}/restart", {})
        websocket.wait_until_it_is_heard()
        assert websocket.printed("print('before' in globals())") == "False\n"

        websocket.execute("import os; os._exit(1)")
        websocket.wait_for_state("restarting")
        websocket.wait_until_it_is_heard()
        assert websocket.printed(PRINT_ID).strip() == kernel_id
    server.ask(f"/api/kernels/{kernel_id}", method="DELETE")


def answer_to_a_question(websocket: WebSocket) -> str:
    request_id = websocket.execute("print(input('What? '))")
    assert websocket.receive("input_request", request_id)["content"]["prompt"] == "What? "
    websocket.send("stdin", "input_reply", {"value": "forty-two"})
    return str(websocket.receive("stream", request_id)["content"]["text"])


def name_of_error_when_interrupted(server: Server, kernel_id: str, websocket: WebSocket) -> str:
    request_id = websocket.execute("import time; print('busy', flush=True)\ntime.sleep(600)")
    websocket.receive("stream", request_id)
    server.ask(f"/api/kernels/{kernel_id}/interrupt", {})
    return str(websocket.receive("execute_reply", request_id)["content"]["ename"])
