"""What both classic managers do with their kernel, written once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast
from uuid import uuid4

import anyio

from kernel_mgmt._background import BackgroundTask
from kernel_mgmt.exceptions import KernelStateError
from kernel_mgmt.kernel import Kernel

from ._client import KernelClient
from ._launch import StartKeywords, given_place, launch_options
from ._managed import ManagedKernel, ManagerSettings
from ._names import find_name_async
from ._ready import Attempt, Ready

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import ShutdownStage
    from kernel_mgmt.types import ConnectionInfo, LaunchOptions

__all__ = ("KernelOperations",)

AnyClient = TypeVar("AnyClient", bound=KernelClient[Any])
T = TypeVar("T")


class KernelOperations(ManagedKernel[AnyClient]):
    """Starts a kernel, ends it, and starts it again, in one event loop.

    Each operation settles a ``ready`` of its own, also where its caller is cancelled.
    """

    def __init__(self, **settings: Unpack[ManagerSettings]) -> None:
        super().__init__(**settings)
        self._attempted = False
        self._starts: list[BackgroundTask[None]] = []
        self._asked_to_end: KernelManagerABC | None = None
        self._place: ConnectionInfo | None = None
        self._transport = self.transport

    async def _start_kernel(self, keywords: StartKeywords) -> None:
        self._check_ownership("start")
        runs = self._kernel is not None and self._kernel.state in ("idle", "busy")
        self._keywords = cast("StartKeywords", {**self._keywords, **keywords})
        task = self._begin(self._start)
        self._starts.append(task)
        try:
            await task.result()
        except anyio.get_cancelled_exc_class():
            if self._starts == [task] and not runs:
                with anyio.CancelScope(shield=True):
                    await self._break_off(task)
                    await self._shutdown_kernel(now=True)
            raise
        finally:
            self._starts.remove(task)

    async def _shutdown_kernel(self, now: bool = False) -> ShutdownStage:
        if not self.owns_kernel:
            return "dead"
        if self._kernel is None and not self._starts:
            return "dead"
        return await self._begin(partial(self._shutdown, now)).result()

    async def _restart_kernel(self, now: bool, newports: bool, keywords: StartKeywords) -> None:
        self._check_ownership("restart")
        if self._kernel is None:
            raise self._not_running("restart")
        self._keywords = cast("StartKeywords", {**self._keywords, **keywords})
        await self._begin(partial(self._restart, self._kernel, now, newports)).result()

    async def _request_shutdown(self, restart: bool) -> None:
        kernel = self._kernel
        if kernel is not None and kernel.manager is not None and await kernel.is_alive():
            kernel.manager.asked_to_end = True
            self._asked_to_end = kernel.manager
            kernel.client.shutdown(restart)

    async def _finish_shutdown(self, waittime: float | None) -> ShutdownStage:
        kernel = self._kernel
        if kernel is None or kernel.manager is None:
            return "dead"
        patience = (self.shutdown_wait_time if waittime is None else waittime) / 2
        manager, asked = kernel.manager, self._asked_to_end is kernel.manager
        stage: ShutdownStage = "shutdown" if asked or await manager.is_alive() else "dead"
        with anyio.move_on_after(patience) as waiting:
            await manager.wait()
        if waiting.cancelled_caught:
            stage = "terminated"
            await manager.terminate()
            with anyio.move_on_after(patience):
                await manager.wait()
        self._asked_to_end = None
        return "killed" if await self._shutdown_kernel(now=True) == "killed" else stage

    async def _cleanup_resources(self, restart: bool) -> None:
        kernel = self._kernel
        if kernel is None or kernel.manager is None or await kernel.is_alive():
            return
        await kernel.manager.cleanup()
        if not restart:
            self.cleanup_connection_file()

    async def _interrupt_kernel(self) -> None:
        self._check_ownership("interrupt")
        await self._wait_until_settled()
        if self._kernel is None:
            raise self._not_running("interrupt")
        self._take_over()
        await self._kernel.interrupt()

    async def _signal_kernel(self, signum: int) -> None:
        self._check_ownership("signal")
        if self._kernel is None:
            raise self._not_running("signal")
        self._take_over()
        await self._kernel.signal(signum)

    async def _is_alive(self) -> bool:
        if self._kernel is None:
            return self._is_external
        self._take_over()
        return await self._kernel.is_alive()

    async def _break_off(self, start: BackgroundTask[None]) -> None:
        name = self.kernel_id or self.kernel_name
        start.cancel(KernelStateError(name, "start", "stopping"))
        await start.ended()

    def _begin(self, operation: Callable[[], Awaitable[T]]) -> BackgroundTask[T]:
        """Do something in a task of its own, so that ``ready`` is settled whoever is cancelled."""
        if self._attempted:
            self._ready = Ready()
        self._attempted = True
        return Attempt(operation, self._ready)

    async def _start(self) -> None:
        kernel = await self._find_kernel()
        try:
            await kernel.start()
            await self._connect_or_end(kernel)
            await self._let_clients_follow()
        finally:
            _close_if_dead(kernel)

    async def _restart(self, kernel: Kernel, now: bool, newports: bool) -> None:
        self._apply(kernel)
        try:
            await kernel.restart(now, newports)
        finally:
            _close_if_dead(kernel)
        self._connect(kernel)
        await self._let_clients_follow()

    async def _let_clients_follow(self) -> None:
        async with anyio.create_task_group() as tasks:
            for client in tuple(self._clients):
                tasks.start_soon(client.followed)

    async def _connect_or_end(self, kernel: Kernel) -> None:
        try:
            self._connect(kernel)
        except OSError:  # the connection file cannot be written where it is wanted
            await kernel.shutdown(now=True)
            raise

    async def _shutdown(self, now: bool) -> ShutdownStage:
        # Starts that look for the kernel type; one may have found it by the time it ends.
        for task in tuple(self._starts):
            await self._break_off(task)
        kernel = self._kernel
        if kernel is None:
            return "dead"
        kernel.shutdown_timeout = self.shutdown_wait_time / 2
        outcome = await kernel.shutdown(now)
        if _close_if_dead(kernel):
            self.cleanup_connection_file()
        return outcome.stage

    async def _find_kernel(self) -> Kernel:
        kernel_type = await find_name_async(self._finder, self.kernel_name)
        kernel = self._kernel
        if kernel is None or kernel.kernel_type != kernel_type:
            kernel = self._kernel = self._make_kernel(kernel_type)
        else:
            self._apply(kernel)
        return kernel

    def _make_kernel(self, kernel_type: str) -> Kernel:
        if self._kernel is None:
            given_ip = "" if self.ip == self._usual_ip() else self.ip
            self._place = given_place(self, given_ip)
            self._transport = self.transport
            self._wanted_file = self.connection_file or None
        self.kernel_id = self.kernel_id or self._keywords.get("kernel_id") or str(uuid4())
        kernel = Kernel(
            kernel_type,
            finder=self.kernel_finder,
            options=self._options(),
            restart_policy=self.restart_policy,
            startup_timeout=self.startup_timeout,
        )
        self._apply(kernel)
        self._callbacks.attach(kernel)
        return kernel

    def _apply(self, kernel: Kernel) -> None:
        kernel.autorestart = self.autorestart
        kernel.cwd = self._keywords.get("cwd")
        kernel.launch_params = self._keywords.get("launch_params")
        kernel.options = self._options()

    def _options(self) -> LaunchOptions:
        assert self.kernel_id is not None
        return launch_options(
            self._keywords,
            self.kernel_id,
            self._transport,
            self.transport_encryption,
            self._place,
        )

    async def _wait_until_settled(self) -> None:
        while self._attempted and not self._ready.done():
            with suppress(Exception):
                await self._ready


def _close_if_dead(kernel: Kernel) -> bool:
    """Close the client of a kernel that is dead, and for which nothing is under way."""
    dead = kernel.state == "dead"
    if dead and kernel.manager is not None:
        kernel.client.close()
    return dead
