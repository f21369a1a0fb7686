"""Start a kernel by the name of its type, and have it ended when the work is done."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import cache, partial
from os import PathLike
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

# Here, so that the first start of a process does not load it while its event loop waits.
import kernel_mgmt.transports.zmq  # noqa: F401  # pyright: ignore[reportUnusedImport]
from kernel_mgmt import _portal

from .client import BlockingKernelClient, KernelClient
from .discovery import KernelFinder
from .exceptions import KernelDiedError, KernelLaunchError, StartupTimeoutError

if TYPE_CHECKING:
    from .abc import KernelManagerABC
    from .types import ConnectionInfo, LaunchOptions, LaunchParams

    _Launched = tuple[ConnectionInfo, KernelManagerABC | None]

__all__ = (
    "run_kernel_async",
    "run_kernel_blocking",
    "start_kernel_async",
    "start_kernel_blocking",
)

# How often a kernel is launched that finds its ports taken.
_LAUNCHES = 3
# How long the end of a kernel that did not start is waited for (seconds).
_DISCARD_MOST = 10.0


async def start_kernel_async(
    name: str,
    cwd: str | PathLike[str] | None = None,
    launch_params: LaunchParams | None = None,
    *,
    finder: KernelFinder | None = None,
    options: LaunchOptions | None = None,
    startup_timeout: float = 60.0,
) -> tuple[KernelManagerABC, KernelClient]:
    """Start a kernel, and wait until it is ready.

    The caller ends it with ``await client.shutdown_or_terminate()`` and ``client.close()``. When it
    raises or is cancelled, nothing is left behind.

    :param name: the kernel type, such as ``"spec/python3"``; a bare name is one of ``spec``
    :param cwd: the working directory of the kernel; this process's when ``None``
    :param launch_params: values for the kernel's launch parameters
    :param finder: where the kernel type is looked up; by default, all installed providers
    :param options: what is asked of the framework rather than of the kernel
    :param startup_timeout: how long it may take until the kernel is ready, the launch by the provider
        included, in seconds
    :raises UnknownProviderError: if there is no such provider
    :raises ProviderLoadError: if the provider cannot be used
    :raises NoSuchKernelError: if the provider has no such kernel type
    :raises LaunchParameterError: if the launch parameters do not fit
    :raises KernelLaunchError: if the kernel cannot be started, ends before it is ready, or is not
        ready in time (:exc:`StartupTimeoutError`)
    """
    return await launch_and_connect(name, cwd, launch_params, finder, options, startup_timeout)


@asynccontextmanager
async def run_kernel_async(
    name: str,
    cwd: str | PathLike[str] | None = None,
    launch_params: LaunchParams | None = None,
    *,
    finder: KernelFinder | None = None,
    options: LaunchOptions | None = None,
    startup_timeout: float = 60.0,
) -> AsyncGenerator[KernelClient]:
    """Start a kernel, hand out its client, and end the kernel when the block is left.

    The arguments and the errors are those of :func:`start_kernel_async`.
    """
    _, client = await start_kernel_async(
        name,
        cwd,
        launch_params,
        finder=finder,
        options=options,
        startup_timeout=startup_timeout,
    )
    try:
        yield client
    finally:
        try:
            with anyio.CancelScope(shield=True):
                await client.shutdown_or_terminate()
        finally:
            client.close()


def start_kernel_blocking(
    name: str,
    cwd: str | PathLike[str] | None = None,
    launch_params: LaunchParams | None = None,
    *,
    finder: KernelFinder | None = None,
    options: LaunchOptions | None = None,
    startup_timeout: float = 60.0,
) -> tuple[KernelManagerABC, BlockingKernelClient]:
    """Start a kernel, and wait until it is ready; for code that is not asynchronous.

    It may be called from any thread, also from one whose event loop runs. The arguments and the
    errors are those of :func:`start_kernel_async`.
    """

    async def start() -> tuple[KernelManagerABC, KernelClient]:
        return await start_kernel_async(
            name,
            cwd,
            launch_params,
            finder=finder,
            options=options,
            startup_timeout=startup_timeout,
        )

    manager, client = _portal.call(start)
    return manager, BlockingKernelClient.around(client)


@contextmanager
def run_kernel_blocking(
    name: str,
    cwd: str | PathLike[str] | None = None,
    launch_params: LaunchParams | None = None,
    *,
    finder: KernelFinder | None = None,
    options: LaunchOptions | None = None,
    startup_timeout: float = 60.0,
) -> Generator[BlockingKernelClient]:
    """Start a kernel, hand out its client, and end the kernel when the block is left.

    It may be called from any thread, also from one whose event loop runs. The arguments and the
    errors are those of :func:`start_kernel_async`.
    """
    running = run_kernel_async(
        name,
        cwd,
        launch_params,
        finder=finder,
        options=options,
        startup_timeout=startup_timeout,
    )
    with _portal.open_context(running) as client:
        yield BlockingKernelClient.around(client)


async def launch_and_connect(
    name: str,
    cwd: str | PathLike[str] | None,
    launch_params: LaunchParams | None,
    finder: KernelFinder | None,
    options: LaunchOptions | None,
    startup_timeout: float,
    connect: Callable[[ConnectionInfo, KernelManagerABC], KernelClient] = KernelClient,
    disconnect: Callable[[KernelClient], None] = KernelClient.close,
) -> tuple[KernelManagerABC, KernelClient]:
    """Start a kernel, and wait until it is ready, as :func:`start_kernel_async` does.

    One that finds its ports taken is launched again, unless they were given.

    :param connect: makes or moves the client, as soon as the kernel is launched
    :param disconnect: is told of the client if the kernel does not become ready
    :raises PortTakenError: if the kernel ended because one of its ports was taken
    """
    finder = default_finder() if finder is None else finder
    given = options is not None and options.connection_info is not None
    launches = 1 if given else _LAUNCHES
    launch = partial(finder.launch, name, cwd, launch_params, options=options)
    limit = _TimeLimit(startup_timeout)
    while True:
        launches -= 1
        connection_info, manager = await _launch(name, launch, limit)
        try:
            client = await _connect(name, connection_info, manager, limit, connect, disconnect)
        except PortTakenError:
            if not launches:
                raise
        else:
            return manager, client


class PortTakenError(KernelLaunchError):
    """Raised when a kernel ended because one of its ports was taken."""


@cache
def default_finder() -> KernelFinder:
    # Reading the entry points takes tens of milliseconds, so it is done once.
    return KernelFinder.from_entrypoints()


class _TimeLimit:
    """How long a start may take, all launches together."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = anyio.current_time() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._until - anyio.current_time())


async def _launch(
    name: str, launch: Callable[[], Awaitable[_Launched]], limit: _TimeLimit
) -> tuple[ConnectionInfo, KernelManagerABC]:
    launched: _Launched | None = None
    with anyio.move_on_after(limit.left):
        launched = await launch()
    if launched is None:
        reason = f"The provider of {name!r} did not launch it within {limit.seconds:g} s"
        raise StartupTimeoutError(reason)
    connection_info, manager = launched
    if manager is None:
        reason = (
            f"The provider of {name!r} gave no manager, without which the kernel cannot be ended"
        )
        raise KernelLaunchError(reason)
    return connection_info, manager


async def _connect(
    name: str,
    connection_info: ConnectionInfo,
    manager: KernelManagerABC,
    limit: _TimeLimit,
    connect: Callable[[ConnectionInfo, KernelManagerABC], KernelClient],
    disconnect: Callable[[KernelClient], None],
) -> KernelClient:
    client: KernelClient | None = None
    try:
        # To launch and to connect in one step would hold the event loop for longer than need be.
        await anyio.lowlevel.checkpoint()
        client = connect(connection_info, manager)
        await client.wait_for_ready(limit.left)
    except BaseException as error:
        if client is not None:
            disconnect(client)
        await _discard(manager)
        failure = _launch_failure(error, name, connection_info, manager, limit.seconds)
        if failure is None:
            raise
        raise failure from error
    return client


def _launch_failure(
    error: BaseException,
    name: str,
    connection_info: ConnectionInfo,
    manager: KernelManagerABC,
    startup_timeout: float,
) -> KernelLaunchError | None:
    """What to raise where a kernel did not become ready; ``None`` if it is the error itself."""
    argv: list[str] = getattr(manager, "argv", [])
    match error:
        case KernelDiedError():
            taken = getattr(manager, "port_conflict", False)
            kind = PortTakenError if taken else KernelLaunchError
            reason = f"The kernel {name!r} ended before it was ready ({error.exit_status})"
            return kind(reason, argv=argv, exit_status=error.exit_status)
        case KernelLaunchError():
            return KernelLaunchError(error.reason, argv=argv)
        case TimeoutError():
            reason = f"The kernel {name!r} was not ready within {startup_timeout:g} s"
            if "curve_publickey" in connection_info:
                reason += ", over connections that are encrypted with CURVE"
            return StartupTimeoutError(reason, argv=argv, exit_status=manager.exit_status)
        case ValueError():
            reason = f"What the provider of {name!r} launched cannot be talked to: {error}"
            return KernelLaunchError(reason, argv=argv)
        case _:
            return None


async def _discard(manager: KernelManagerABC) -> None:
    with anyio.move_on_after(_DISCARD_MOST, shield=True):
        await manager.kill()
        await manager.cleanup()
