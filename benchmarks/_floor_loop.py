"""The floor, read from an asyncio loop instead of by blocking calls."""

from __future__ import annotations

import asyncio
from typing import Any

from ._floor import FloorClient, Progress, Take, execute_content


class FloorLoopClient:
    """Talks to a kernel by two callbacks on the descriptors of the sockets."""

    def __init__(self, info: dict[str, Any], *, copy: bool = True) -> None:
        self._client = FloorClient(info, copy=copy)
        self._client.wait_for_ready()
        self._loop = asyncio.get_running_loop()
        self._sockets = (self._client.shell, self._client.iopub)
        self._progress = Progress([], None)
        self._done = self._loop.create_future()
        for sock in self._sockets:
            self._loop.add_reader(sock.fileno(), self._drain)

    async def execute(self, code: str, take: Take | None = None) -> None:
        """Execute code, and wait for the reply and for idle."""
        await self.execute_all(code, 1, take)

    async def execute_all(self, code: str, count: int, take: Take | None = None) -> None:
        """Execute code that many times at once, and wait for each reply and idle."""
        self._done = self._loop.create_future()
        client = self._client
        content = execute_content(code)
        msg_ids = [client.send(client.shell, "execute_request", content) for _ in range(count)]
        self._progress = Progress(msg_ids, take)
        # The descriptor is edge-triggered: the send may have taken the edge of a message.
        self._loop.call_soon(self._drain)
        await self._done

    def _drain(self) -> None:
        for sock in self._sockets:
            self._client.drain(sock, self._progress)
        if self._progress.complete and not self._done.done():
            self._done.set_result(None)

    def close(self) -> None:
        """Close at once."""
        for sock in self._sockets:
            self._loop.remove_reader(sock.fileno())
        self._client.close()
