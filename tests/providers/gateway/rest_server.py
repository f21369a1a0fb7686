"""A gateway that has no kernels behind its REST interface, and does wrong on demand."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

PYTHON = {
    "name": "python3",
    "spec": {
        "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "env": {},
        "display_name": "Python 3",
        "language": "python",
        "metadata": {"debugger": True},
    },
    "resources": {"logo-64x64": "/base/kernelspecs/python3/logo-64x64.png"},
}


class Seen(NamedTuple):
    """A request that came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Fault:
    """What is wrong with the answer to the next request of a method.

    :ivar status: is answered in place of the right one
    :ivar is_done: whether what is asked for is done nevertheless
    :ivar is_dropped: whether the connection is closed in place of an answer
    :ivar until: what is waited for before the answer
    """

    method: str
    status: int | None = None
    message: str = ""
    is_done: bool = False
    is_dropped: bool = False
    until: threading.Event | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])


@dataclass
class RestServer:
    """What the gateway knows, and what came.

    :ivar tokens: those that are valid; anybody may ask if ``None``
    :ivar honours_ids: whether a kernel gets the id that was asked for
    :ivar most_at_once: how many launches there were at the same time
    """

    url: str = ""
    tokens: set[str] | None = None
    honours_ids: bool = True
    kernelspecs: dict[str, Any] = field(default_factory=lambda: {"python3": deepcopy(PYTHON)})
    kernels: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    faults: list[Fault] = field(default_factory=list[Fault])
    seen: list[Seen] = field(default_factory=list[Seen])
    cookies: list[str] = field(default_factory=list[str])
    at_once: int = 0
    most_at_once: int = 0
    asked: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def paths(self, method: str) -> list[str]:
        """The paths of the requests of a method that came."""
        return [each.path for each in self.seen if each.method == method]

    def last(self, method: str) -> Seen:
        """The last request of a method."""
        return [each for each in self.seen if each.method == method][-1]

    def answer(self, request: Seen) -> tuple[int, Any]:
        """Do what is asked for, and return what is answered."""
        parts = request.path.removeprefix("/base").strip("/").split("/")
        if parts[0] == "kernelspecs":
            return (200, b"a picture") if parts[-1] == "logo-64x64.png" else (404, None)
        match request.method, parts[1:]:
            case "GET", ["kernelspecs"]:
                return 200, {"default": "python3", "kernelspecs": self.kernelspecs}
            case "GET", ["kernelspecs", name]:
                found = self.kernelspecs.get(name)
                return (404, {"message": "no such kernelspec"}) if found is None else (200, found)
            case "POST", ["kernels"]:
                return self._create(request.body)
            case "GET", ["kernels"]:
                return 200, list(self.kernels.values())
            case _, ["kernels", kernel_id, *_] if kernel_id not in self.kernels:
                return 404, {"message": f"Kernel does not exist: {kernel_id}"}
            case "GET", ["kernels", kernel_id]:
                return 200, self.kernels[kernel_id]
            case "DELETE", ["kernels", kernel_id]:
                del self.kernels[kernel_id]
                return 204, None
            case "POST", ["kernels", kernel_id, "restart"]:
                return 200, self.kernels[kernel_id]
            case "POST", ["kernels", _, "interrupt"]:
                return 204, None
            case _:
                return 404, None

    def _create(self, body: Any) -> tuple[int, Any]:
        if body["name"] not in self.kernelspecs:
            return 500, {"message": "Unhandled error"}
        kernel_id: str = body["kernel_id"] if self.honours_ids else str(uuid4())
        model = {"id": kernel_id, "name": body["name"], "execution_state": "starting"}
        return 201, self.kernels.setdefault(kernel_id, model)

    def is_refused(self, request: Seen) -> bool:
        """Whether the credentials of a request are not valid."""
        authorization = request.headers.get("Authorization", "")
        return self.tokens is not None and authorization not in {f"token {t}" for t in self.tokens}


class _Handler(BaseHTTPRequestHandler):
    gateway: ClassVar[RestServer]

    def do_GET(self) -> None:
        gateway, request = self.gateway, self._request()
        is_launch = request.method == "POST" and request.path.endswith("/kernels")
        with gateway.lock:
            gateway.seen.append(request)
            gateway.at_once += is_launch
            gateway.most_at_once = max(gateway.most_at_once, gateway.at_once)
            fault = next((f for f in gateway.faults if f.method == request.method), None)
            if fault is not None:
                gateway.faults.remove(fault)
        gateway.asked.set()
        try:
            self._answer(request, fault)
        finally:
            with gateway.lock:
                gateway.at_once -= is_launch
            gateway.answered.set()

    do_POST = do_DELETE = do_GET

    def _answer(self, request: Seen, fault: Fault | None) -> None:
        gateway, headers = self.gateway, dict[str, str]()
        if fault is not None and fault.until is not None:
            fault.until.wait(30)
        if gateway.is_refused(request):
            status, content = 401, {"message": "Unauthorized"}
        elif fault is None or fault.is_done:
            with gateway.lock:
                status, content = gateway.answer(request)
        else:
            status, content = 200, None
        if fault is not None:
            headers = fault.headers
            if fault.is_dropped:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault.status is not None:
                status, content = fault.status, {"message": fault.message}
        self._send(status, content, headers)

    def _request(self) -> Seen:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        return Seen(self.command, url.path, parse_qs(url.query), dict(self.headers), body)

    def _send(self, status: int, content: Any, headers: dict[str, str]) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for cookie in self.gateway.cookies:
            self.send_header("Set-Cookie", cookie)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(0 if status == 204 else len(raw)))
        self.end_headers()
        if status != 204:
            self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing of clients that have gone."""


@contextmanager
def rest_server(trust: ssl.SSLContext | None = None) -> Generator[RestServer]:
    """Serve a gateway on loopback, below the path ``/base``.

    :param trust: what it shows itself with over TLS
    """
    gateway = RestServer()
    handler = type("Handler", (_Handler,), {"gateway": gateway})
    with _Server(("127.0.0.1", 0), handler) as server:
        scheme = "http"
        if trust is not None:
            server.socket = trust.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        gateway.url = f"{scheme}://localhost:{server.server_port}/base"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()
