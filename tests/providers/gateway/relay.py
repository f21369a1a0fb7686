"""A relay between a client and a server, which can break the connections between them."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Relay:
    """Hands bytes to and fro, for each connection that is made to it.

    :param url: where the server listens
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self.break_all()
        for thread in self._threads[1:]:
            thread.join()
        for each in self._sockets:
            each.close()

    def through(self, url: str) -> str:
        """The URL that leads through the relay to what a URL of the server leads to."""
        return urlsplit(url)._replace(netloc=f"127.0.0.1:{self._port}").geturl()

    def agrees(self, near: socket.socket) -> bool:
        """Whether a connection is handed on to the server."""
        return True

    def break_all(self) -> None:
        """Break all connections; new ones may be made."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            if not self.agrees(near):
                near.shutdown(socket.SHUT_RDWR)
                continue
            far = socket.create_connection(self._server)
            self._sockets.append(far)
            for source, sink in ((near, far), (far, near)):
                thread = threading.Thread(target=_hand_on, args=(source, sink))
                self._threads.append(thread)
                thread.start()


class Proxy(Relay):
    """A proxy that leads to the server, whichever host it is asked for.

    :param answer: the status line to a request for a tunnel

    :ivar asked: the requests for tunnels
    """

    def __init__(self, url: str, answer: str = "HTTP/1.1 200 Connection established") -> None:
        super().__init__(url)
        self.asked: list[str] = []
        self._answer = answer

    @property
    def url(self) -> str:
        return f"http://user:pass%20word@127.0.0.1:{self._port}"

    def agrees(self, near: socket.socket) -> bool:
        near.settimeout(30)
        request = b""
        while b"\r\n\r\n" not in request:
            request += near.recv(65_536)
        self.asked.append(request.decode())
        near.sendall(f"{self._answer}\r\n\r\n".encode())
        return " 200 " in self._answer


def _hand_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
