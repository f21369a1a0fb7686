"""What our kernel managers do otherwise than those of jupyter_client that they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import jupyter_client.manager
from jupyter_client.connect import port_names
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from traitlets import CaselessStrEnum, default

from ._listing import Listing
from ._operations import Operation, OperationName, Operations, wait_for
from .kernelspecs import KernelSpecManager
from .provisioner import KernelProvisioner

if TYPE_CHECKING:
    from kernel_mgmt.types import ExitStatus

__all__ = ("ManagedKernel", "new_kernel_spec_manager")

# A program that wants one kernel waits for the providers longer than a page does (seconds).
_LISTING_MOST = 30.0


class ManagedKernel(jupyter_client.manager.KernelManager):
    """Starts, restarts and ends a kernel in operations that overlap in no way.

    A kernelspec that names no provisioner is launched by :class:`KernelProvisioner`, unless the
    environment or the configuration names another for those.
    """

    transport = CaselessStrEnum(
        ["tcp", "ipc", "auto"],
        default_value="tcp",
        config=True,
        help="How the kernel is reached; auto is ipc for kernels that are known to speak it.",
    )
    # It is not ours to choose, unless that is the setting.
    settles_transport = True
    # The traits of jupyter_client have types that say less than they seem to.
    context: Any
    data_dir: Any
    _context_default: Any
    kernel_id: Any
    _created_context: Any
    _ready: Any

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._operations = Operations()

    @property
    def exit_status(self) -> ExitStatus | None:
        """How the kernel ended; ``None`` while it runs, or if that is not known."""
        return getattr(self.provisioner, "exit_status", None)

    @default("kernel_spec_manager")
    def _our_kernel_spec_manager(self) -> KernelSpecManager:
        return new_kernel_spec_manager(data_dir=self.data_dir)

    async def _async_start_kernel(self, **keywords: Any) -> None:
        """Start the kernel; nothing happens if it runs.

        It returns as soon as there is a process, as that of jupyter_client does. A call that is
        cancelled leaves nothing behind.

        :raises KernelStateError: if the kernel is being shut down
        """
        await self._operate("start", partial(self._start, keywords))

    async def _async_restart_kernel(
        self, now: bool = False, newports: bool = False, **keywords: Any
    ) -> None:
        """End the kernel and start it again, where it was; a call that is cancelled leaves it going on.

        :param newports: whether it listens elsewhere, but for the ports that are configured
        :raises KernelStateError: if the kernel is being shut down
        """
        restart = partial(super()._async_restart_kernel, now, newports, **keywords)
        await self._operate("restart", restart)

    async def _async_shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """End the kernel, and clean up after it; a call that is cancelled leaves it going on.

        Calls at the same time have one shutdown in common, which the last with ``now`` hastens.
        """
        if not self.owns_kernel:
            return
        await self._operate("shutdown", partial(self._shut_down, now, restart), at_once=now)

    async def _async_interrupt_kernel(self) -> None:
        operation = self._operations.under_way
        if operation is not None and not self.has_kernel and not self._operations.is_mine:
            await wait_for(operation)
        if not self.has_kernel:
            raise RuntimeError("Cannot interrupt kernel. No kernel is running!")
        await super()._async_interrupt_kernel()

    async def _async_pre_start_kernel(
        self, *, transport_encryption: str | None = None, **keywords: Any
    ) -> tuple[list[str], dict[str, Any]]:
        kernel_id = keywords.pop("kernel_id", None)
        self.kernel_id = self.kernel_id or kernel_id or str(uuid4())
        if self._random_port_names is None:
            # Before a provisioner chooses some: those that are configured are no random ones.
            self._random_port_names = [name for name in port_names if getattr(self, name) <= 0]
        if self.provisioner is None and self._is_ours():
            self.provisioner = KernelProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(
            transport_encryption=transport_encryption, **keywords
        )

    async def _async_wait(self, pollinterval: float = 0.1) -> None:
        while await self._async_is_alive():
            if isinstance(self.provisioner, KernelProvisioner):
                await self.provisioner.ended()
            else:
                await asyncio.sleep(pollinterval)

    def _close_control_socket(self) -> None:
        socket = self._control_socket
        # With a context that is shared, others may have closed it.
        if socket is not None and not socket.closed and not self.has_kernel:
            # What the kernel has not read, nobody will; and to wait for that blocks the event loop.
            socket.linger = 0
        super()._close_control_socket()

    async def _operate(
        self,
        name: OperationName,
        work: Callable[[], Awaitable[None]],
        *,
        at_once: bool = False,
    ) -> None:
        if self._operations.is_mine:
            await work()
            return
        is_slowed = self._operations.under_way is not None
        operation, is_new = self._operations.begin(self.kernel_id or "", name, work)
        settle = self._make_pending(operation) if is_new else _do_nothing
        operation.waiting += 1
        try:
            if at_once and is_slowed:
                await self._hasten()
            await wait_for(operation)
        except asyncio.CancelledError:
            operation.waiting -= 1
            operation.call_at_end(settle)
            if name == "start" and not operation.waiting:
                operation.cancel()
                await wait_for(operation)
            raise
        # Not before the caller is told: what it does without delay is done when `ready` is.
        settle()
        operation.ended.result()

    def _make_pending(self, operation: Operation) -> Callable[[], None]:
        """Renew ``ready``, and return what has it tell the end of the operation."""
        if self._attempted_start or not self._ready:
            self._ready = asyncio.get_running_loop().create_future()
        ready = self._ready

        def settle() -> None:
            if ready.done():
                return
            if (error := operation.ended.exception()) is None:
                ready.set_result(None)
            else:
                ready.set_exception(error)
                # The callers of the operation are told; nobody needs to ask this one.
                ready.exception()

        return settle

    async def _start(self, keywords: dict[str, Any]) -> None:
        if self.has_kernel:
            if await self._async_is_alive():
                return
            await self._reap()
        self._operations.check_wanted(self.kernel_id or "")
        self._attempted_start = True
        if self._created_context and self.context.closed:
            self.context = self._context_default()
        try:
            kernel_cmd, keywords = await self._async_pre_start_kernel(**keywords)
            await self._async_launch_kernel(kernel_cmd, **keywords)
            await self._async_post_start_kernel(**keywords)
        except BaseException:
            await self._undo_start()
            raise

    async def _shut_down(self, now: bool, restart: bool) -> None:
        self.shutting_down = True
        self.stop_restarter()
        try:
            if self.has_kernel:
                await self._end(now, restart)
        finally:
            await self._async_cleanup_resources(restart=restart)

    async def _end(self, now: bool, restart: bool) -> None:
        try:
            await self._interrupt_before_the_end()
            if now:
                await self._async_kill_kernel()
            else:
                await self._async_request_shutdown(restart=restart)
                await self._async_finish_shutdown(restart=restart)
        except BaseException:
            # Such as the cancellation of all tasks when their event loop is closed.
            await self._async_kill_kernel()
            raise

    async def _hasten(self) -> None:
        """End the kernel, for which another operation may wait."""
        self.shutting_down = True
        try:
            if self.provisioner is not None:
                await self.provisioner.kill()
        except Exception:
            self.log.exception("The kernel %s was not killed", self.kernel_id)

    async def _interrupt_before_the_end(self) -> None:
        try:
            await self._async_interrupt_kernel()
        except Exception:
            # It is ended all the same, by what comes next.
            self.log.exception("The kernel %s was not interrupted", self.kernel_id)

    async def _reap(self) -> None:
        assert self.provisioner is not None
        await self.provisioner.wait()
        await self.provisioner.cleanup(restart=True)

    async def _undo_start(self) -> None:
        self.stop_restarter()
        await self._async_kill_kernel()
        self._close_control_socket()
        if self.provisioner is not None:
            await self.provisioner.cleanup()
        self.cleanup_connection_file()
        self.cleanup_ipc_files()
        self.cleanup_random_ports()

    def _is_ours(self) -> bool:
        """Whether nobody names a provisioner for the kernel."""
        factory: Any = KernelProvisionerFactory.instance(parent=self.parent)
        name = factory.default_provisioner_name
        stanza = getattr(self.kernel_spec, "metadata", {}).get("kernel_provisioner", {})
        is_usual = name == "local-provisioner" and not _is_chosen(factory, name)
        return is_usual and "provisioner_name" not in stanza


def _is_chosen(factory: Any, name: str) -> bool:
    """Whether the environment or the configuration names the provisioner that is the usual one."""
    return os.environ.get(
        factory.default_provisioner_name_env
    ) == name or "default_provisioner_name" in factory.config.get("KernelProvisionerFactory", {})


def _do_nothing() -> None:
    """Settle nothing: whoever has begun the operation does."""


def new_kernel_spec_manager(**keywords: Any) -> KernelSpecManager:
    """Make what finds kernels for a program that wants one, and not a list of them."""
    return KernelSpecManager(listing=Listing(time_limit=_LISTING_MOST), **keywords)
