"""Kernels on a gateway, managed by the classes of Jupyter Server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, cast
from urllib.error import HTTPError as NotFound

import anyio
import pytest
from jupyter_server.gateway import managers
from jupyter_server.gateway.gateway_client import GatewayClient
from nbclient import NotebookClient
from tornado.web import HTTPError

from kernel_mgmt.jupyter.gateway import (
    GatewayKernelClient,
    GatewayKernelManager,
    GatewayMappingKernelManager,
    GatewaySessionManager,
)
from tests.providers.gateway.conftest import Server
from tests.providers.gateway.rest_server import Fault, RestServer

pytestmark = pytest.mark.anyio


async def started(**asked: Any) -> GatewayKernelManager:
    manager = GatewayKernelManager()
    await manager.start_kernel(kernel_name="python3", **asked)
    return manager


@pytest.fixture
async def mapping(rest: RestServer) -> AsyncIterator[GatewayMappingKernelManager]:
    mapping = GatewayMappingKernelManager()
    yield mapping
    await mapping.shutdown_all()


def test_the_classes_are_those_of_jupyter_server() -> None:
    assert issubclass(GatewayKernelManager, managers.GatewayKernelManager)
    assert issubclass(GatewayKernelClient, managers.GatewayKernelClient)
    assert issubclass(GatewayMappingKernelManager, managers.GatewayMappingKernelManager)
    assert issubclass(GatewaySessionManager, managers.GatewaySessionManager)


async def test_a_kernel_lives_from_its_start_to_its_shutdown(
    back: Server, settings: GatewayClient
) -> None:
    with anyio.fail_after(60):
        manager = await started()
        url = f"{back.url}/api/kernels/{manager.kernel_id}"
        before = (manager.has_kernel, await manager.is_alive(), manager.kernel_url == url)
        client: Any = manager.client()
        await client.start_channels()
        await client.wait_for_ready(timeout=30)
        await client.execute("x = 1", reply=True, timeout=30)
        await manager.restart_kernel()
        await client.wait_for_ready(timeout=30)
        forgot = await client.execute("x", reply=True, timeout=30)
        code = "import time; print('busy', flush=True); time.sleep(600)"
        running = client.execute(code, reply=True)
        # A kernel may have things of its own to say on stderr when it starts.
        while (await client.get_iopub_msg(timeout=30))["content"].get("text") != "busy\n":
            pass
        await manager.interrupt_kernel()
        interrupted = await running
        await manager.shutdown_kernel()
        client.stop_channels()

    assert before == (True, True, True)
    assert forgot["content"]["ename"] == "NameError"
    assert interrupted["content"]["ename"] == "KeyboardInterrupt"
    assert not manager.has_kernel
    assert not await manager.is_alive()
    with pytest.raises(NotFound):
        back.ask("GET", f"/kernels/{manager.kernel_id}")


def test_nbclient_runs_a_notebook_by_the_manager_and_its_client(
    back: Server, settings: GatewayClient
) -> None:
    # The package has no types.
    format: Any = import_module("nbformat.v4")
    cells = [format.new_code_cell(code) for code in ("x = 6", "print(x * 7)")]
    notebook = format.new_notebook(cells=cells)
    name = "kernel_mgmt.jupyter.gateway.GatewayKernelManager"
    NotebookClient(notebook, kernel_manager_class=name, kernel_name="python3").execute()

    assert notebook.cells[1].outputs[0].text == "42\n"
    assert back.ask("GET", "/kernels") == []


async def test_the_gateway_is_sent_no_variable_but_those_that_are_meant_for_it(
    rest: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    GatewayClient.instance().allowed_envs = "LANGUAGE"
    monkeypatch.setenv("KERNEL_FROM_HERE", "1")
    monkeypatch.delenv("KERNEL_WORKING_DIR", raising=False)
    env = {"KERNEL_WHO": "ada", "LANGUAGE": "de", "SECRET": "x", "KERNEL_MGMT_X": "y"}
    manager = await started(env=env, cwd="/work/of/ada")
    await manager.shutdown_kernel()

    sent = rest.last("POST").body["env"]
    assert sent["KERNEL_WORKING_DIR"] == "/work/of/ada"
    assert {"KERNEL_WHO", "LANGUAGE", "KERNEL_FROM_HERE"} <= set(sent)
    assert {"SECRET", "KERNEL_MGMT_X", "PATH"}.isdisjoint(sent)


async def test_launches_take_turns_and_each_tells_its_environment(rest: RestServer) -> None:
    managers = [GatewayKernelManager() for _ in range(4)]
    async with anyio.create_task_group() as tasks:
        for number, manager in enumerate(managers):
            env = {"KERNEL_WHO": str(number)} if number else {}
            tasks.start_soon(
                lambda m, e: m.start_kernel(kernel_name="python3", env=e), manager, env
            )
    for manager in managers:
        await manager.shutdown_kernel()

    told = [each.body["env"].get("KERNEL_WHO") for each in rest.seen if each.method == "POST"]
    assert sorted(told, key=str) == ["1", "2", "3", None]
    assert rest.most_at_once == 1


async def test_a_kernel_that_somebody_has_ended_is_not_alive_at_the_first_look(
    rest: RestServer,
) -> None:
    manager = await started()
    rest.kernels.clear()

    assert not await manager.is_alive()
    assert not manager.has_kernel


async def test_a_kernel_that_the_gateway_gave_up_is_not_alive_and_can_be_removed(
    rest: RestServer,
) -> None:
    manager = await started()
    rest.kernels[manager.kernel_id]["execution_state"] = "dead"
    is_alive = await manager.is_alive()
    await manager.shutdown_kernel()

    assert not is_alive
    assert rest.kernels == {}


@pytest.mark.parametrize("told", ["2026-09-01T10:00:00Z", "2026-09-01T10:00:00.000000+00:00"])
async def test_the_time_of_the_last_activity_is_read_in_whatever_form(
    rest: RestServer, told: str
) -> None:
    manager = await started()
    rest.kernels[manager.kernel_id]["last_activity"] = told
    await manager.refresh_model()
    await manager.shutdown_kernel()

    assert manager.last_activity == datetime(2026, 9, 1, 10, tzinfo=UTC)


async def test_a_kernel_that_runs_is_taken_hold_of_by_its_id(rest: RestServer) -> None:
    first = await started()
    second = await started(kernel_id=first.kernel_id)
    launches = len(rest.paths("POST"))
    await second.shutdown_kernel()

    assert second.kernel_id == first.kernel_id
    assert launches == 1
    assert not await first.is_alive()


async def test_a_kernel_of_an_id_that_nobody_has_is_not_found(rest: RestServer) -> None:
    with pytest.raises(HTTPError) as caught:
        await GatewayKernelManager().start_kernel(kernel_id="nonsense")

    assert caught.value.status_code == 404


async def test_a_launch_that_the_gateway_refuses_tells_why(rest: RestServer) -> None:
    rest.faults += [Fault("POST", 403, "Resource limit")]

    with pytest.raises(HTTPError, match="Resource limit") as caught:
        await started()
    assert caught.value.status_code == 403


async def test_an_unknown_kernelspec_is_not_found(rest: RestServer) -> None:
    with pytest.raises(HTTPError) as caught:
        await GatewayKernelManager().start_kernel(kernel_name="nonsense")

    assert caught.value.status_code == 404


async def test_two_servers_in_a_process_share_no_kernel(
    rest: RestServer, mapping: GatewayMappingKernelManager
) -> None:
    kernel_id = await mapping.start_kernel(kernel_name="python3")

    assert kernel_id in mapping
    assert kernel_id not in GatewayMappingKernelManager()


async def test_a_listing_has_the_kernels_of_this_server_and_forgets_those_that_are_gone(
    rest: RestServer, mapping: GatewayMappingKernelManager
) -> None:
    sessions = GatewaySessionManager(kernel_manager=mapping)
    kept = await mapping.start_kernel(kernel_name="python3")
    gone = await mapping.start_kernel(kernel_name="python3")
    rest.kernels["of-others"] = {"id": "of-others", "name": "python3"}
    del rest.kernels[gone]
    listed = await mapping.list_kernels()
    culled = [await sessions.kernel_culled(kernel_id) for kernel_id in (kept, gone)]
    cast("Any", sessions).close()

    assert [model["id"] for model in listed] == [kept]
    assert culled == [False, True]


async def test_a_gateway_that_lists_no_kernels_is_asked_for_each(
    rest: RestServer, mapping: GatewayMappingKernelManager
) -> None:
    kernel_id = await mapping.start_kernel(kernel_name="python3")
    rest.faults += [Fault("GET", 403, "Forbidden")]
    listed = await mapping.list_kernels()

    assert [model["id"] for model in listed] == [kernel_id]


async def test_a_kernel_of_which_the_gateway_cannot_tell_is_not_forgotten(
    rest: RestServer, mapping: GatewayMappingKernelManager
) -> None:
    kernel_id = await mapping.start_kernel(kernel_name="python3")
    rest.faults += [Fault("GET", 403, "Forbidden"), Fault("GET", 500, "out of order")]
    listed = await mapping.list_kernels()

    assert [model["id"] for model in listed] == [kernel_id]


async def test_a_kernel_that_cannot_be_ended_keeps_none_of_the_others(
    rest: RestServer, mapping: GatewayMappingKernelManager
) -> None:
    for _ in range(2):
        await mapping.start_kernel(kernel_name="python3")
    rest.faults += [Fault("DELETE", 500, "out of order")]
    await mapping.shutdown_all()

    assert len(rest.kernels) == 1
    assert mapping.list_kernel_ids() == [*rest.kernels]
