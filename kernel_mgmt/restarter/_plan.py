"""What it takes to start a kernel, and to start it again in the same place."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple

import anyio
import anyio.lowlevel

from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.start import PortTakenError, launch_and_connect
from kernel_mgmt.types import LaunchOptions

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.discovery import KernelFinder
    from kernel_mgmt.types import ConnectionInfo, LaunchParams

log = logging.getLogger(__name__)

# How long the end of a kernel is waited for that is to be followed by another (seconds).
_END_MOST = 10.0
_DEFAULTS = LaunchOptions()


class Started(NamedTuple):
    """A kernel that is ready.

    :ivar same_ports: whether it listens where it was asked to
    """

    manager: KernelManagerABC
    client: KernelClient
    same_ports: bool


@dataclass(frozen=True)
class LaunchPlan:
    """What it takes to start a kernel; the fields are the arguments of ``start_kernel_async``."""

    kernel_type: str
    cwd: str | PathLike[str] | None = None
    launch_params: LaunchParams | None = None
    finder: KernelFinder | None = None
    options: LaunchOptions = field(default_factory=LaunchOptions)
    startup_timeout: float = 60.0

    async def start(
        self,
        kernel_id: str,
        *,
        restart: bool = False,
        listen_at: ConnectionInfo | None = None,
        connect: Callable[[ConnectionInfo, KernelManagerABC], KernelClient] = KernelClient,
        disconnect: Callable[[KernelClient], None] = KernelClient.close,
    ) -> Started:
        """Start a kernel where the options say, and wait until it is ready.

        A provider that cannot take the id and the like is not asked to; where the kernel cannot
        listen at the place that it is given, it listens elsewhere.

        :param restart: whether it takes the place of one that has ended
        :param listen_at: where it is to listen if it can, in place of what the options say
        """
        options, ours = self._options(kernel_id, restart, listen_at)
        while True:
            try:
                manager, client = await launch_and_connect(
                    self.kernel_type,
                    self.cwd,
                    self.launch_params,
                    self.finder,
                    options,
                    self.startup_timeout,
                    connect,
                    disconnect,
                )
            except LaunchOptionError as error:
                if error.option not in ours:
                    raise
                ours.remove(error.option)
                options = replace(options, **{error.option: getattr(_DEFAULTS, error.option)})
            except KernelLaunchError as error:
                if "connection_info" not in ours or not _may_be_for_the_place(error):
                    raise
                log.info("the kernel %s listens elsewhere from now on: %s", kernel_id, error.reason)
                ours.remove("connection_info")
                options = replace(options, connection_info=None)
            else:
                await _undo_if_cancelled(manager, client, disconnect)
                return Started(manager, client, "connection_info" in ours)

    def elsewhere(self) -> LaunchPlan:
        """The plan for the lives that follow: where the first is told to listen is no matter of theirs."""
        return replace(self, options=replace(self.options, connection_info=None))

    def _options(
        self, kernel_id: str, restart: bool, listen_at: ConnectionInfo | None
    ) -> tuple[LaunchOptions, set[str]]:
        """The options of a launch, and which of them nobody but the plan asks for."""
        options = self.options
        ours: set[str] = set()
        if options.kernel_id is None:
            options = replace(options, kernel_id=kernel_id)
            ours.add("kernel_id")
        if restart:
            options = replace(options, restart=True)
            ours.add("restart")
        if listen_at is not None:
            options = replace(options, connection_info=listen_at)
            ours.add("connection_info")
        return options, ours


async def end_at_once(manager: KernelManagerABC) -> None:
    """Kill a kernel, or what it left, and clean up after it; one that will not go is left."""
    with anyio.move_on_after(_END_MOST, shield=True):
        try:
            await manager.kill()
            await manager.cleanup()
        except Exception:
            log.exception("the kernel %s cannot be ended or cleaned up after", manager.kernel_id)


async def _undo_if_cancelled(
    manager: KernelManagerABC, client: KernelClient, disconnect: Callable[[KernelClient], None]
) -> None:
    """See to it that a kernel which was ready in the very step of its cancellation does not stay."""
    try:
        await anyio.lowlevel.checkpoint_if_cancelled()
    except BaseException:
        disconnect(client)
        await end_at_once(manager)
        raise


def _may_be_for_the_place(error: KernelLaunchError) -> bool:
    """Whether a launch may have failed for the ports or sockets that it was given."""
    return isinstance(error, PortTakenError) or error.exit_status is None
