"""The kernel type that is looked at, and the kernels of it that are started for that."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING

import anyio

from kernel_mgmt.cli._terminal import printable
from kernel_mgmt.client import KernelClient
from kernel_mgmt.start import launch_and_connect
from kernel_mgmt.types import LaunchOptions

from ._languages import Snippets, snippets_of

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import Request
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.messages import Message
    from kernel_mgmt.types import ConnectionInfo, JSONDict, KernelAttributes, LaunchParams

__all__ = ("RunningKernel", "Subject", "end", "output_within", "reply_within")

# How long a kernel that is not needed any more is waited for, before it is killed (seconds).
_ENDS_WITHIN = 2.0


@dataclass(frozen=True)
class RunningKernel:
    """A kernel that was started for checks.

    :ivar published: what has come on iopub, from the first message on
    :ivar seconds: how long its start took
    """

    manager: KernelManagerABC
    client: KernelClient
    published: list[Message]
    seconds: float

    @property
    def info(self) -> JSONDict:
        """The content of its ``kernel_info_reply``."""
        return self.client.kernel_info_dict or {}

    @property
    def transport(self) -> str:
        """How it is reached."""
        return self.client.connection_info["transport"]

    def written(self) -> list[str]:
        """The lines that it has written to its stdout and stderr, if it has a log, without colours."""
        path = self.manager.describe().get("log_file")
        try:
            with open(path or "", encoding="utf-8", errors="replace") as log:
                return [printable(line.strip()) for line in log if line.strip()]
        except OSError:
            return []


@dataclass(frozen=True)
class Subject:
    """A kernel type, and how kernels of it are to be started.

    :ivar code: the code that checks run; by default, that for the language of the kernel
    :ivar patience: how long an answer is waited for that may never come, in seconds
    """

    name: str
    finder: KernelFinder
    attributes: KernelAttributes
    cwd: str | PathLike[str] | None = None
    launch_params: LaunchParams | None = None
    options: LaunchOptions = field(default_factory=LaunchOptions)
    startup_timeout: float = 60.0
    code: Snippets | None = None
    patience: float = 5.0

    @property
    def snippets(self) -> Snippets | None:
        """The code that checks run, if there is some."""
        return self.code or snippets_of(self.attributes.get("language", ""))

    @asynccontextmanager
    async def started(
        self,
        options: LaunchOptions | None = None,
        *,
        cwd: str | PathLike[str] | None = None,
        startup_timeout: float | None = None,
    ) -> AsyncGenerator[RunningKernel]:
        """Start a kernel, and end it when the block is left.

        The errors are those of :func:`~kernel_mgmt.start.start_kernel_async`.

        :param options: more than the command line says
        """
        published: list[Message] = []
        begun = anyio.current_time()
        manager, client = await launch_and_connect(
            self.name,
            cwd or self.cwd,
            self.launch_params,
            self.finder,
            replace(options or self.options, env=self.options.env),
            startup_timeout or self.startup_timeout,
            lambda info, manager: _connect(info, manager, published),
        )
        try:
            yield RunningKernel(manager, client, published, anyio.current_time() - begun)
        finally:
            await end(client, min(_ENDS_WITHIN, self.patience))


async def end(client: KernelClient, seconds: float) -> None:
    """End a kernel and close its client, whatever becomes of the caller.

    :param seconds: how long it may take to do what it is asked to
    """
    try:
        with anyio.CancelScope(shield=True):
            await client.shutdown_or_terminate(seconds)
    finally:
        client.close()


async def reply_within(request: Request, seconds: float) -> Message | None:
    """Return the reply to a request, or ``None`` if it has not come in so many seconds."""
    with anyio.move_on_after(seconds):
        return await request.reply()
    return None


async def output_within(request: Request, seconds: float) -> bool:
    """Whether the code of a request has published an output within so many seconds."""
    with anyio.move_on_after(seconds):
        async for message in request:
            if message.msg_type not in ("status", "execute_input"):
                return True
    return False


def _connect(
    connection_info: ConnectionInfo, manager: KernelManagerABC, published: list[Message]
) -> KernelClient:
    client = KernelClient(connection_info, manager)
    client.add_handler(published.append)
    return client
