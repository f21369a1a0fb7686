"""A Jupyter Server, as it is, with nothing but the setting that we write."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

TOKEN = secrets.token_hex(16)


class Server:
    """A server on the loopback device, and what its REST API says."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, content: object = None, method: str | None = None) -> bytes:
        data = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"token {TOKEN}"}
        request = Request(self.url + path, data, headers, method=method)
        with urlopen(request, timeout=60) as response:
            body: bytes = response.read()
            return body

    def get(self, path: str) -> Any:
        return json.loads(self.ask(path))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@contextmanager
def running_server(root: Path, *settings: str) -> Generator[Server]:
    """Run a server which lists what ours does.

    :param settings: further ones, as on the command line
    """
    env = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(root / "config"),
        "JUPYTER_RUNTIME_DIR": str(root),
        "JUPYTER_TOKEN": TOKEN,
    }
    program = Path(sys.executable).with_name("kernel-mgmt")
    subprocess.run([program, "jupyter", "enable"], env=env, check=True, capture_output=True)
    arguments = [
        "--ip=127.0.0.1",
        "--port=0",
        "--no-browser",
        "--allow-root",
        f"--notebook-dir={root}",
        *settings,
    ]
    argv = [sys.executable, "-m", "jupyter_server", *arguments]
    with subprocess.Popen(argv, env=env, cwd=root, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr)
            line = next(line for line in lines if "http://127.0.0.1:" in line)
            port = line.partition("http://127.0.0.1:")[2].partition("/")[0]
            server = Server(f"http://127.0.0.1:{port}")
            wait_until_it_answers(server)
            yield server
        finally:
            process.terminate()
            process.communicate(timeout=60)


def wait_until_it_answers(server: Server) -> None:
    until = monotonic() + 60
    while True:
        try:
            server.get("/api/status")
        except URLError:  # it tells its address before it listens there
            assert monotonic() < until
            sleep(0.05)
        else:
            return


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
