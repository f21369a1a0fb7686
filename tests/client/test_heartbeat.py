from __future__ import annotations

from signal import SIGCONT, SIGSTOP

import anyio
import pytest

from kernel_mgmt import KernelClient

from .conftest import StartFake

pytestmark = pytest.mark.anyio


async def until(client: KernelClient, beating: bool) -> None:
    with anyio.fail_after(30):
        while client.is_beating is not beating:
            await anyio.sleep(0.005)


async def test_a_kernel_that_stops_answering_is_noticed_and_so_is_its_return(
    start_fake: StartFake,
) -> None:
    owner = await start_fake()
    assert owner.manager is not None

    async with KernelClient(owner.connection_info, use_heartbeat=0.02) as client:
        await client.wait_for_ready(30)
        await until(client, True)
        await owner.manager.signal(SIGSTOP)
        await until(client, False)
        await owner.manager.signal(SIGCONT)
        await until(client, True)


async def test_the_death_of_a_kernel_ends_its_heartbeat(start_fake: StartFake) -> None:
    owner = await start_fake()

    async with KernelClient(owner.connection_info, owner.manager, use_heartbeat=0.02) as client:
        await client.wait_for_ready(30)
        await until(client, True)
        assert owner.manager is not None
        await owner.manager.kill()
        await until(client, False)


async def test_without_a_heartbeat_nothing_is_said_about_it(start_fake: StartFake) -> None:
    client = await start_fake()

    assert client.is_beating is None


async def test_a_heartbeat_counts_as_heard_until_it_is_due(start_fake: StartFake) -> None:
    owner = await start_fake()

    async with KernelClient(owner.connection_info, use_heartbeat=30) as client:
        client.connect()

        assert client.is_beating


async def test_a_kernel_that_is_busy_is_connected_all_the_same(start_fake: StartFake) -> None:
    owner = await start_fake()
    owner.execute("sleep 60")

    async with KernelClient(owner.connection_info) as client:
        before = client.is_connected
        client.kernel_info()
        with anyio.fail_after(10):
            while not client.is_connected:
                await anyio.sleep(0.001)

    assert not before
