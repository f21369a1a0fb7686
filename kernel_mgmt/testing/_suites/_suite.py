"""What the suites have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, TypeAlias
from uuid import uuid4

import anyio
import anyio.to_thread
import pytest

from kernel_mgmt.abc import KernelManagerABC
from kernel_mgmt.client import KernelClient
from kernel_mgmt.types import ConnectionInfo

from ._cancelling import CancelledAtWait
from ._leftovers import Leftovers

if TYPE_CHECKING:
    Launched: TypeAlias = tuple[ConnectionInfo, KernelManagerABC | None]

_MARK = "KERNEL_MGMT_TEST_SUITE"

# What waits more often than this is cancelled at its first waits only.
_MOST_WAITS = 25
# How long the end of a kernel may take (seconds).
_END_MOST = 10.0


class Suite:
    """Runs each test on asyncio and on trio, and fails those that leave anything behind.

    :cvar seconds: how long a test may take
    :cvar patience: how long what a kernel leaves may take to vanish, in seconds
    :cvar code: what a kernel is given to execute; it must succeed
    """

    pytestmark = pytest.mark.anyio

    seconds: ClassVar[float] = 60.0
    patience: ClassVar[float] = 5.0
    code: ClassVar[str] = ""

    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        """The event loop that the test runs on."""
        backend: str = request.param
        return backend

    @pytest.fixture(autouse=True)
    def leftovers(
        self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Leftovers]:
        """What the test leaves: its runtime directory must end up empty, its processes ended."""
        runtime_dir = tmp_path_factory.mktemp("runtime")
        mark = f"{_MARK}={uuid4()}"
        monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime_dir))
        monkeypatch.setenv(*mark.split("="))
        leftovers = Leftovers(runtime_dir, mark, self.patience)
        yield leftovers
        found = leftovers.wait()
        leftovers.kill()

        assert found == [], "the test has left something behind"


@asynccontextmanager
async def client_of(
    connection_info: ConnectionInfo, manager: KernelManagerABC | None
) -> AsyncGenerator[KernelClient]:
    """Hand out a client of a kernel once it is ready, and end the kernel with the block."""
    client = KernelClient(connection_info, manager)
    try:
        await client.wait_for_ready()
        yield client
    finally:
        with anyio.move_on_after(_END_MOST, shield=True):
            await (_ask_to_end(client) if manager is None else end_kernel(manager))
        client.close()


async def check_that_it_answers(client: KernelClient, code: str) -> None:
    """Fail unless a kernel tells what it is, and executes some code without an error."""
    info = await client.kernel_info()
    reply = await client.execute(code)

    assert info.content.get("status", "ok") == "ok"
    assert reply.content.get("status", "ok") == "ok"


async def check_cancelled_launches(
    launch: Callable[[], Awaitable[Launched]], leftovers: Leftovers
) -> None:
    """Fail if a launch that is cancelled at any of its waits leaves anything behind."""
    for number in range(_MOST_WAITS):
        cancelled: CancelledAtWait[Launched] = CancelledAtWait(number)
        await cancelled.run(launch())
        # A launch that has come to its end may return though it has been cancelled.
        for connection_info, manager in cancelled.results:
            await discard(connection_info, manager)
        await check_nothing_is_left(leftovers)
        if not cancelled.reached:
            break


async def check_nothing_is_left(leftovers: Leftovers, kernel_id: str | None = None) -> None:
    """Fail if anything is left that does not vanish soon."""
    found = await anyio.to_thread.run_sync(leftovers.wait, kernel_id)

    assert found == [], "something has been left behind"


async def end_kernel(manager: KernelManagerABC) -> None:
    """End a kernel at once, and clean up after it."""
    await manager.kill()
    await manager.cleanup()


async def discard(connection_info: ConnectionInfo, manager: KernelManagerABC | None) -> None:
    """End a kernel that has just been launched."""
    if manager is not None:
        await end_kernel(manager)
    else:
        async with client_of(connection_info, None):
            pass


async def _ask_to_end(client: KernelClient) -> None:
    await client.shutdown()
