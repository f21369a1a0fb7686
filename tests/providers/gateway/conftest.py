"""Real servers whose kernels the tests talk to, and a server that does wrong on demand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psutil
import pytest

_TOKEN = "the-token-of-the-tests"
_SECONDS_TO_START = 60.0
_SECONDS_TO_STOP = 30.0

_COMMANDS = {
    "jupyter_server": [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        "--ServerApp.jpserver_extensions={}",
        f"--IdentityProvider.token={_TOKEN}",
    ],
    "kernel_gateway": [
        "--KernelGatewayApp.ip=127.0.0.1",
        "--KernelGatewayApp.port=0",
        f"--KernelGatewayApp.auth_token={_TOKEN}",
        "--JupyterWebsocketPersonality.list_kernels=True",
    ],
}


@dataclass(frozen=True)
class Server:
    """A server that runs.

    :ivar kind: the module that it is
    :ivar url: where it listens, without a slash at the end
    :ivar token: what it takes as ``Authorization: token …``
    :ivar log: what it has printed
    """

    kind: str
    url: str
    token: str
    log: Path

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.token}"}

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the REST interface below ``/api``; return the JSON that it answers."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}/api{path}", data, self.headers, method=method)
        with urlopen(request, timeout=60) as response:
            answer = response.read()
        return json.loads(answer) if answer else None

    def start_kernel(self, name: str = "python3", **more: Any) -> str:
        """Start a kernel; return its id."""
        kernel_id: str = self.ask("POST", "/kernels", {"name": name, **more})["id"]
        return kernel_id

    def end_kernel(self, kernel_id: str) -> None:
        """End a kernel, if it has not ended."""
        try:
            self.ask("DELETE", f"/kernels/{kernel_id}")
        except HTTPError as error:
            if error.code != 404:
                raise

    def channels_url(self, kernel_id: str) -> str:
        """The URL of the WebSocket of a kernel."""
        return f"ws{self.url.removeprefix('http')}/api/kernels/{kernel_id}/channels"


@contextmanager
def running_server(kind: str, home: Path, *arguments: str) -> Generator[Server]:
    """A server in a home of its own, on a port that the system has chosen for it.

    :param kind: ``"jupyter_server"`` or ``"kernel_gateway"``
    :param arguments: more arguments for its command line
    """
    log = home / "server.log"
    names = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    env = {**os.environ, **{f"JUPYTER_{key}_DIR": str(home / d) for key, d in names.items()}}
    env |= {
        "IPYTHONDIR": str(home / "ipython"),
        # The kernelspec that comes with ipykernel starts whichever `python` is first there.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", kind, *_COMMANDS[kind], *arguments],
            cwd=home,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Server(kind, _url_when_up(process, log), _TOKEN, log)
    finally:
        # It ends its kernels then, too.
        process.terminate()
        try:
            process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Jupyter Server."""
    with running_server("jupyter_server", tmp_path_factory.mktemp("jupyter_server")) as server:
        yield server


@pytest.fixture(scope="session")
def kernel_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Kernel Gateway."""
    with running_server("kernel_gateway", tmp_path_factory.mktemp("kernel_gateway")) as server:
        yield server


@pytest.fixture(params=["jupyter_server", "kernel_gateway"])
def real_server(request: pytest.FixtureRequest) -> Server:
    """Each of the real servers."""
    server: Server = request.getfixturevalue(request.param)
    return server


def _url_when_up(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until a server answers; any status is an answer."""
    until = monotonic() + _SECONDS_TO_START
    while process.poll() is None and monotonic() < until:
        for port in _ports(process.pid):
            url = f"http://127.0.0.1:{port}"
            try:
                urlopen(f"{url}/api", timeout=10).close()
            except HTTPError as error:
                error.close()
            except (URLError, OSError):
                continue
            return url
        sleep(0.02)
    raise RuntimeError(log.read_text(encoding="utf-8"))


def _ports(pid: int) -> list[int]:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return []
    return [each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN]
