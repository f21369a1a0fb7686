"""Managers of kernels on gateways: how they learn of the end, and what holds many of them."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from kernel_mgmt import (
    Kernel,
    KernelClient,
    KernelFinder,
    KernelGoneError,
    KernelRestarter,
    LaunchOptions,
    ReattachError,
    start_kernel_async,
)
from kernel_mgmt.classic import AsyncMultiKernelManager
from kernel_mgmt_gateway import (
    GatewayCredentialsError,
    GatewayKernelManager,
    GatewayKernelProvider,
    GatewaySettings,
    GatewayUnreachableError,
    RemoteKernel,
)

from .conftest import Server
from .rest_server import Fault, RestServer, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records are; some tests leave a kernel."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return tmp_path / "runtime"


@pytest.fixture
def gateway() -> Iterator[RestServer]:
    with rest_server() as gateway:
        yield gateway


@pytest.fixture
def server(anyio_backend: str, request: pytest.FixtureRequest) -> Server:
    """Each of the real servers, on one of the event loops."""
    servers = {"asyncio": "jupyter_server", "trio": "kernel_gateway"}
    server: Server = request.getfixturevalue(servers[anyio_backend])
    return server


@pytest.fixture
def finder(server: Server) -> Iterator[KernelFinder]:
    """A finder of a real server, on which no kernel may stay."""
    settings = GatewaySettings(server.url, auth_token=server.token)
    before = server.ask("GET", "/kernels")
    yield KernelFinder([GatewayKernelProvider([settings])])
    assert server.ask("GET", "/kernels") == before


async def managed(
    gateway: RestServer, *, persist: bool = False, **values: Any
) -> GatewayKernelManager:
    provider = GatewayKernelProvider([GatewaySettings(gateway.url, **values)])
    options = LaunchOptions(persist=persist)
    with anyio.fail_after(30):
        _, manager = await provider.launch("python3", options=options)
    return manager


async def test_a_kernel_that_others_have_ended_is_found_out_by_asking(
    gateway: RestServer,
) -> None:
    manager = await managed(gateway, poll_interval=0.01)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager.wait)
            gateway.kernels.clear()

    assert manager.exit_status is not None
    # It was no crash, after which a restarter would fight whoever ends idle kernels.
    assert manager.asked_to_end


async def test_a_kernel_that_its_gateway_gives_up_has_died(gateway: RestServer) -> None:
    manager = await managed(gateway)
    gateway.kernels[manager.remote_id] |= {"execution_state": "dead", "reason": "out of memory"}
    with anyio.fail_after(30):
        alive = await manager.is_alive()

    assert alive is False
    assert not manager.asked_to_end
    assert manager.exit_status is not None
    assert manager.exit_status.tail == "out of memory"


async def test_a_kernel_that_has_gone_is_not_alive_at_once(gateway: RestServer) -> None:
    manager = await managed(gateway)
    gateway.kernels.clear()

    assert await manager.is_alive() is False


async def test_whoever_waits_asks_no_more_often_than_is_set(gateway: RestServer) -> None:
    manager = await managed(gateway, poll_interval=60)
    asked = len(gateway.seen)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(manager.wait)
            await anyio.wait_all_tasks_blocked()
            await manager.kill()

    assert [each.method for each in gateway.seen[asked:]] == ["DELETE"]


async def test_while_a_gateway_is_out_of_reach_its_kernels_are_taken_to_run(
    gateway: RestServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    manager = await managed(gateway, poll_interval=0.001, request_retries=0)
    gateway.faults = [Fault("GET", status=503) for _ in range(3)]
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager.wait)
            while gateway.faults:
                await anyio.sleep(0.001)
            assert manager.exit_status is None
            await manager.kill()

    assert caplog.text.count("cannot be told") == 1


async def test_whether_a_kernel_runs_cannot_be_told_without_its_gateway() -> None:
    with rest_server() as gateway:
        manager = await managed(gateway, persist=True, request_retries=0)
    with anyio.fail_after(30), pytest.raises(GatewayUnreachableError):
        await manager.is_alive()


async def test_an_interrupt_finds_out_that_the_kernel_has_gone(gateway: RestServer) -> None:
    manager = await managed(gateway)
    gateway.kernels.clear()
    with anyio.fail_after(30):
        await manager.interrupt()
        with pytest.raises(KernelGoneError):
            await manager.restart()

    assert manager.exit_status is not None


def test_a_manager_that_is_dropped_while_its_kernel_runs_warns(gateway: RestServer) -> None:
    with pytest.warns(ResourceWarning, match="was dropped while its kernel runs"):
        launch_and_drop(gateway)


def launch_and_drop(gateway: RestServer) -> None:
    anyio.run(managed, gateway)
    gc.collect()


@pytest.mark.parametrize(
    ("told", "time"),
    [
        ("2026-11-27T10:00:00.5Z", datetime(2026, 11, 27, 10, 0, 0, 500000, UTC)),
        ("2026-11-27T10:00:00Z", datetime(2026, 11, 27, 10, 0, tzinfo=UTC)),
        ("2026-11-27T10:00:00+00:00", datetime(2026, 11, 27, 10, 0, tzinfo=UTC)),
        ("2026-11-27 10:00:00", datetime(2026, 11, 27, 10, 0, tzinfo=UTC)),
        (0.0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("yesterday", None),
        (True, None),
        (None, None),
        (1e300, None),
    ],
)
def test_the_last_activity_is_read_in_any_form(told: object, time: datetime | None) -> None:
    kernel = RemoteKernel.from_model({"id": "1", "name": "python3", "last_activity": told})

    assert kernel.last_activity == time


async def test_a_kernel_that_runs_is_listed_attached_to_and_left_running(
    server: Server,
) -> None:
    settings = GatewaySettings(server.url, auth_token=server.token)
    provider = GatewayKernelProvider([settings])
    kernel_id = server.start_kernel()
    try:
        with anyio.fail_after(60):
            listed = [kernel.id for kernel in await provider.list_running()]
            manager = await provider.attach(kernel_id)
            async with KernelClient(manager.connection_info, manager) as client:
                await client.wait_for_ready()
            model = await manager.model()
            del manager, client
        states = server.ask("GET", f"/kernels/{kernel_id}")["execution_state"]
    finally:
        server.end_kernel(kernel_id)
    with anyio.fail_after(60), pytest.raises(ReattachError, match="does not know it"):
        await provider.attach(kernel_id)

    assert kernel_id in listed
    assert model is not None
    assert (model.id, model.name) == (kernel_id, "python3")
    assert model.last_activity is not None
    assert states == "idle"


async def test_a_gateway_that_does_not_list_its_kernels_says_so(gateway: RestServer) -> None:
    gateway.faults = [Fault("GET", status=403)]
    with anyio.fail_after(30), pytest.raises(GatewayCredentialsError, match="does not allow"):
        await GatewayKernelProvider([GatewaySettings(gateway.url)]).list_running()


async def test_a_restart_by_the_gateway_keeps_the_kernel_and_its_clients(
    finder: KernelFinder,
) -> None:
    with anyio.fail_after(60):
        manager, client = await start_kernel_async("gateway/python3", finder=finder)
        async with client:
            await client.execute("x = 1")
            assert isinstance(manager, GatewayKernelManager)
            await manager.restart()
            reply = await client.execute("x")
            await client.shutdown_or_terminate()

    assert reply.content["ename"] == "NameError"


async def test_a_shutdown_by_a_client_ends_the_kernel_for_good(
    finder: KernelFinder,
) -> None:
    with anyio.fail_after(60):
        manager, client = await start_kernel_async("gateway/python3", finder=finder)
        async with client:
            stage = await client.shutdown_or_terminate(timeout=30)

    assert stage == "shutdown"
    assert manager.exit_status is not None


async def test_a_kernel_object_restarts_in_its_place_with_its_client(
    finder: KernelFinder,
) -> None:
    with anyio.fail_after(60):
        async with Kernel("gateway/python3", finder=finder) as kernel:
            await kernel.client.execute("x = 1")
            first = kernel.manager
            event = await kernel.restart()
            second = kernel.manager
            reply = await kernel.client.execute("x")

    assert isinstance(first, GatewayKernelManager)
    assert isinstance(second, GatewayKernelManager)
    assert first.remote_id == second.remote_id == kernel.kernel_id
    assert not event["new_ports"]
    assert reply.content["ename"] == "NameError"


async def test_a_restarter_starts_a_kernel_again(finder: KernelFinder) -> None:
    with anyio.fail_after(60):
        manager, client = await start_kernel_async("gateway/python3", finder=finder)
        restarter = KernelRestarter(manager, "gateway/python3", finder)
        async with client, restarter:
            await restarter.do_restart()
            after = restarter.kernel_manager
            client.reconnect(after.connection_info, after)
            reply = await client.execute("6 * 7")
            restarter.stop()
            await client.shutdown_or_terminate()

    assert after.kernel_id == manager.kernel_id
    assert reply.content["status"] == "ok"


async def test_many_kernels_of_a_gateway_are_held_by_the_classic_manager(
    finder: KernelFinder,
) -> None:
    kernels = AsyncMultiKernelManager(kernel_finder=finder, default_kernel_name="gateway/python3")
    with anyio.fail_after(60):
        first = await kernels.start_kernel()
        second = await kernels.start_kernel()
        alive = [await kernels.is_alive(kernel_id) for kernel_id in (first, second)]
        await kernels.interrupt_kernel(first)
        client = kernels.get_kernel(first).client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        reply = await client.execute_interactive("6 * 7", output_hook=lambda message: None)
        client.stop_channels()
        await kernels.restart_kernel(second)
        await kernels.shutdown_all()

    assert alive == [True, True]
    assert reply["content"]["status"] == "ok"
    assert kernels.list_kernel_ids() == []
