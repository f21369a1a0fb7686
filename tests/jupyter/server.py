"""A Jupyter Server, as it is, with nothing but what we set for it."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from .place import PROGRAMS, Place

_PATIENCE = 60.0
_PORT = re.compile(r"http://127\.0\.0\.1:(\d+)/")


class Server:
    """A server on the loopback device, and what its REST API says.

    :ivar place: where its files are
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.token = secrets.token_hex(16)
        self.log = place.root / "server.log"
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, content: object = None, method: str | None = None) -> bytes:
        data = None if content is None else json.dumps(content).encode()
        headers = {"Authorization": f"token {self.token}"}
        request = Request(self.url + path, data, headers, method=method)
        with urlopen(request, timeout=_PATIENCE) as response:
            body: bytes = response.read()
            return body

    def get(self, path: str) -> Any:
        return json.loads(self.ask(path))

    def wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        until = monotonic() + _PATIENCE
        while True:
            told = self.log.read_text(encoding="utf-8")
            assert process.poll() is None, told
            assert monotonic() < until, told
            if found := _PORT.search(told):
                self.port = int(found[1])
                try:
                    self.get("/api/status")
                except URLError:  # it tells its address before it listens there
                    pass
                else:
                    return
            sleep(0.05)


@contextmanager
def run_server(
    place: Place, *arguments: str, module: str = "jupyter_server", **env: str
) -> Generator[Server]:
    """Run a server that lists our kernel types, for as long as the block lasts.

    :param module: which server, as ``python -m`` takes it
    :param env: more environment variables for it
    """
    place.run("kernel-mgmt", "jupyter", "enable")
    server = Server(place)
    argv = [str(PROGRAMS / "python"), "-m", module, "--ip=127.0.0.1", "--port=0", "--no-browser"]
    argv += ["--allow-root", f"--ServerApp.cookie_secret_file={place.root / 'cookie_secret'}"]
    argv += [f"--ServerApp.root_dir={place.work}", *arguments]
    variables = {**place.env, "JUPYTER_TOKEN": server.token, **env}
    with (
        server.log.open("wb") as log,
        subprocess.Popen(
            argv, env=variables, cwd=place.work, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ) as process,
    ):
        try:
            server.wait_until_it_answers(process)
            yield server
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
