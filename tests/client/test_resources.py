"""What clients take of the process, and give back."""

from __future__ import annotations

import gc
import os
import threading
from contextlib import AsyncExitStack

import anyio
import pytest
import zmq

from kernel_mgmt import ClientClosedError, KernelClient
from kernel_mgmt.transports.zmq import zmq_context

from .conftest import StartFake

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def started_zmq() -> None:
    """Start the threads of libzmq, which keep some descriptors for as long as the process lives."""
    zmq_context().socket(zmq.PAIR).close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    # Those of the test runner come and go.
    passing = [each for each in threading.enumerate() if each.name.startswith("Trio thread")]
    return len(os.listdir("/proc/self/task")) - len(passing)


@pytest.mark.parametrize(("use_heartbeat", "most"), [(None, 9), (1.0, 11)])
async def test_a_client_takes_few_descriptors_and_no_thread(
    use_heartbeat: float | None, most: int, start_fake: StartFake
) -> None:
    owners = [await start_fake(ready=False) for _ in range(10)]
    before = descriptors(), threads()

    async with AsyncExitStack() as stack:
        for owner in owners:
            client = KernelClient(owner.connection_info, owner.manager, use_heartbeat=use_heartbeat)
            await stack.enter_async_context(client)
            await client.wait_for_ready(30)

        assert descriptors() - before[0] <= most * len(owners)
        assert threads() - before[1] == 0


async def test_clients_that_are_closed_give_everything_back(start_fake: StartFake) -> None:
    owner = await start_fake()
    # Its last socket may not be connected before.
    await owner.kernel_info(channel="control")
    before = descriptors()

    for _ in range(30):
        async with KernelClient(owner.connection_info, use_heartbeat=1) as client:
            await client.wait_for_ready(30)
            request = client.execute("sleep 0.01")
        with anyio.fail_after(30), pytest.raises(ClientClosedError):
            await request

    with anyio.fail_after(30):
        while descriptors() > before:
            await anyio.sleep(0.01)


async def test_a_client_that_waits_for_a_kernel_gone_over_to_can_be_dropped(
    start_fake: StartFake,
) -> None:
    owner = await start_fake()
    mute = await start_fake("--mute", "kernel_info_request", ready=False)
    client = KernelClient(owner.connection_info)
    await client.wait_for_ready(30)
    # It is collected where the test looks, and not before.
    cycle: list[object] = [client]
    cycle.append(cycle)

    client.reconnect_soon(mute.connection_info)
    await anyio.wait_all_tasks_blocked()
    del client, cycle

    with pytest.warns(ResourceWarning, match="was not closed"):
        gc.collect()
