"""Launches on a gateway, and what they leave when they fail: nothing."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import anyio
import anyio.to_thread
import pytest

from kernel_mgmt import (
    DuplicateKernelError,
    KernelFinder,
    KernelLaunchError,
    LaunchOptionError,
    LaunchOptions,
    LaunchParameterError,
    NoSuchKernelError,
)
from kernel_mgmt.types import ResourceLimits
from kernel_mgmt_gateway import (
    GatewayCredentialsError,
    GatewayKernelManager,
    GatewayKernelProvider,
    GatewayLaunchError,
    GatewaySettings,
    GatewayUnreachableError,
)

from .rest_server import Fault, RestServer, rest_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def gateway() -> Iterator[RestServer]:
    with rest_server() as gateway:
        yield gateway


def provider_of(gateway: RestServer, **values: object) -> GatewayKernelProvider:
    values = {"url": gateway.url, "auth_token": "abcdef", **values}
    return GatewayKernelProvider([GatewaySettings.from_mapping(values)])


async def launched(
    provider: GatewayKernelProvider, options: LaunchOptions | None = None, cwd: Path | None = None
) -> GatewayKernelManager:
    with anyio.fail_after(30):
        _, manager = await provider.launch("python3", cwd, options=options)
    return manager


async def launched_and_ended(
    provider: GatewayKernelProvider, options: LaunchOptions | None = None, cwd: Path | None = None
) -> None:
    await (await launched(provider, options, cwd)).kill()


async def test_a_kernel_gets_an_id_that_this_program_has_chosen(gateway: RestServer) -> None:
    manager = await launched(provider_of(gateway))
    await manager.kill()
    body = gateway.last("POST").body

    assert body["kernel_id"] == body["env"]["KERNEL_ID"] == manager.kernel_id
    assert str(UUID(manager.kernel_id)) == manager.kernel_id
    assert gateway.kernels == {}


async def test_the_environment_is_always_sent(
    gateway: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("KERNEL_")]:
        monkeypatch.delenv(name)
    await launched_and_ended(provider_of(gateway))

    assert gateway.last("POST").body["env"].keys() == {"KERNEL_ID", "KERNEL_LAUNCH_TIMEOUT"}


async def test_what_is_sent_of_the_environment_begins_with_kernel_or_is_allowed_or_asked_for(
    gateway: RestServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("KERNEL_A", "ALLOWED", "OTHER", "KERNEL_MGMT_KERNEL_ID", "KERNEL_B"):
        monkeypatch.setenv(name, "theirs")
    options = LaunchOptions(env={"MINE": "1", "KERNEL_B": "2"})
    await launched_and_ended(provider_of(gateway, allowed_envs=["ALLOWED"]), options, tmp_path)
    env = gateway.last("POST").body["env"]

    assert env["KERNEL_A"] == env["ALLOWED"] == "theirs"
    assert (env["MINE"], env["KERNEL_B"]) == ("1", "2")
    assert env["KERNEL_WORKING_DIR"] == str(tmp_path)
    # Else the end of the kernel that this program may run in would end this one, too.
    assert env.keys().isdisjoint({"OTHER", "KERNEL_MGMT_KERNEL_ID"})


async def test_the_user_is_told_and_the_environment_of_this_process_stays(
    gateway: RestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KERNEL_USERNAME", raising=False)
    before = dict(os.environ)
    await launched_and_ended(provider_of(gateway, http_user="bob"))

    assert gateway.last("POST").body["env"]["KERNEL_USERNAME"] == "bob"
    assert dict(os.environ) == before


async def test_launches_on_one_gateway_take_turns(gateway: RestServer) -> None:
    provider = provider_of(gateway)
    gateway.faults = [Fault("POST", is_done=True, until=(ended := threading.Event()))]
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(launched_and_ended, provider)
            await anyio.to_thread.run_sync(_until_launch, gateway)
            ended.set()

    assert gateway.most_at_once == 1
    assert len(gateway.paths("POST")) == 4


def _until_launch(gateway: RestServer) -> None:
    while not gateway.at_once:
        gateway.asked.wait(0.01)


def _until_answered(gateway: RestServer) -> None:
    while gateway.at_once:
        gateway.answered.wait(0.01)


async def test_a_launch_that_waits_for_its_turn_can_be_cancelled(gateway: RestServer) -> None:
    provider, waited = provider_of(gateway), anyio.CancelScope()
    gateway.faults = [Fault("POST", is_done=True, until=(ended := threading.Event()))]
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(launched_and_ended, provider)
            await anyio.to_thread.run_sync(_until_launch, gateway)
            with waited:
                waited.deadline = anyio.current_time() + 0.05
                await provider.launch("python3")
            ended.set()
        await launched_and_ended(provider)

    assert waited.cancelled_caught
    assert len(gateway.paths("POST")) == 2
    assert gateway.kernels == {}


async def test_a_launch_that_is_cancelled_while_the_gateway_is_slow_leaves_no_kernel(
    gateway: RestServer,
) -> None:
    gateway.faults = [Fault("POST", is_done=True, until=(ended := threading.Event()))]
    # What does not wait for the answer comes to end the kernel before there is one.
    answer_late = threading.Timer(0.3, ended.set)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(provider_of(gateway).launch, "python3")
            await anyio.to_thread.run_sync(_until_launch, gateway)
            answer_late.start()
            tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(_until_answered, gateway)

    assert len(gateway.paths("DELETE")) == 1
    assert gateway.kernels == {}


async def test_a_launch_whose_answer_is_lost_is_found_by_its_id(gateway: RestServer) -> None:
    gateway.faults = [Fault("POST", is_done=True, is_dropped=True)]
    manager = await launched(provider_of(gateway))
    kernels = dict(gateway.kernels)
    await manager.kill()

    assert list(kernels) == [manager.kernel_id]
    assert len(gateway.paths("POST")) == 1


async def test_a_launch_that_a_proxy_answered_is_repeated_if_the_gateway_honours_ids(
    gateway: RestServer,
) -> None:
    provider = provider_of(gateway)
    await launched_and_ended(provider)
    gateway.faults = [Fault("POST", status=502)]
    manager = await launched(provider)
    kernels = dict(gateway.kernels)
    await manager.kill()

    assert list(kernels) == [manager.kernel_id]
    assert len(gateway.paths("POST")) == 3


async def test_a_launch_is_not_repeated_where_that_could_make_a_second_kernel(
    gateway: RestServer,
) -> None:
    gateway.honours_ids = False
    provider = provider_of(gateway)
    await launched_and_ended(provider)
    gateway.faults = [Fault("POST", status=503)]
    with anyio.fail_after(30), pytest.raises(GatewayLaunchError, match="503"):
        await provider.launch("python3")

    assert len(gateway.paths("POST")) == 2


async def test_what_was_told_of_a_kernel_type_just_now_is_not_asked_again(
    gateway: RestServer,
) -> None:
    finder = KernelFinder([provider_of(gateway)])
    with anyio.fail_after(30):
        _, manager = await finder.launch("gateway/python3")
        assert manager is not None
        await manager.kill()

    assert len(gateway.paths("GET")) == 1


async def test_an_older_gateway_gives_the_kernel_an_id_of_its_own(gateway: RestServer) -> None:
    gateway.honours_ids = False
    manager = await launched(provider_of(gateway), LaunchOptions(kernel_id="mine"))
    kernels = dict(gateway.kernels)
    await manager.kill()

    assert manager.kernel_id == "mine"
    assert list(kernels) == [manager.remote_id]
    assert gateway.kernels == {}


async def test_a_kernel_type_that_is_not_there_is_not_launched(gateway: RestServer) -> None:
    with anyio.fail_after(30), pytest.raises(NoSuchKernelError):
        await provider_of(gateway).launch("nope")

    assert gateway.paths("POST") == []


async def test_a_kernel_type_that_has_gone_is_found_out_when_its_launch_fails(
    gateway: RestServer,
) -> None:
    provider = provider_of(gateway)
    finder = KernelFinder([provider])
    assert [name for name, _ in finder.find_kernels()] == ["gateway/python3"]
    gateway.kernelspecs = {}
    with anyio.fail_after(30), pytest.raises(NoSuchKernelError):
        await provider.launch("python3")

    assert len(gateway.paths("POST")) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_launch_that_is_not_allowed_says_what_the_gateway_says_and_no_secret(
    gateway: RestServer, status: int
) -> None:
    message = "bob with abcdef is not authorized"
    gateway.faults = [Fault("POST", status=status, message=message)]
    with anyio.fail_after(30), pytest.raises(KernelLaunchError) as caught:
        await provider_of(gateway).launch("python3")
    assert isinstance(caught.value, GatewayLaunchError)
    failure = caught.value.failure

    assert isinstance(failure, GatewayCredentialsError)
    assert failure.status == status
    assert f"({status}: bob with … is not authorized)" in str(caught.value)


async def test_a_launch_without_a_gateway_says_so() -> None:
    provider = GatewayKernelProvider([GatewaySettings("http://127.0.0.1:9", request_retries=0)])
    with anyio.fail_after(30), pytest.raises(GatewayLaunchError) as caught:
        await provider.launch("python3")

    assert isinstance(caught.value.failure, GatewayUnreachableError)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (LaunchOptions(extra_arguments=["x"]), "extra_arguments"),
        (LaunchOptions(limits=ResourceLimits(memory=1)), "limits"),
        (LaunchOptions(transport="ipc"), "transport"),
        (LaunchOptions(encryption="required"), "encryption"),
    ],
)
async def test_an_option_that_no_gateway_can_take_is_refused(
    gateway: RestServer, options: LaunchOptions, name: str
) -> None:
    with anyio.fail_after(30), pytest.raises(LaunchOptionError) as caught:
        await provider_of(gateway).launch("python3", options=options)

    assert caught.value.option == name
    assert gateway.seen == []


async def test_launch_parameters_are_neither_offered_nor_taken(gateway: RestServer) -> None:
    schema = {"type": "object", "properties": {"n": {"default": 1}}}
    gateway.kernelspecs["python3"]["spec"]["metadata"]["parameters"] = schema
    provider = provider_of(gateway)
    with anyio.fail_after(30):
        attributes = await KernelFinder([provider]).get_async("gateway/python3")
        with pytest.raises(LaunchParameterError, match="takes no launch parameters"):
            await provider.launch("python3", None, {"n": 2})

    assert "launch_parameters" not in attributes


async def test_a_kernel_is_not_launched_under_the_id_of_another(gateway: RestServer) -> None:
    provider = provider_of(gateway)
    manager = await launched(provider)
    options = LaunchOptions(kernel_id=manager.kernel_id)
    with anyio.fail_after(30), pytest.raises(DuplicateKernelError):
        await provider.launch("python3", options=options)
    await manager.kill()

    assert len(gateway.paths("POST")) == 1


async def test_a_restart_of_a_kernel_that_is_still_there_is_one_by_the_gateway(
    gateway: RestServer,
) -> None:
    provider = provider_of(gateway)
    before = await launched(provider)
    options = LaunchOptions(kernel_id=before.kernel_id, restart=True)
    after = await launched(provider, options)
    await before.kill()
    await after.kill()

    assert after.kernel_id == before.kernel_id
    assert gateway.paths("POST")[1:] == [f"/base/api/kernels/{before.kernel_id}/restart"]


async def test_the_next_kernel_in_a_place_has_the_id_of_the_one_before(
    gateway: RestServer,
) -> None:
    provider = provider_of(gateway)
    before = await launched(provider)
    await before.kill()
    after = await launched(provider, LaunchOptions(connection_info=before.connection_info))
    await after.kill()

    assert after.remote_id == before.remote_id


async def test_no_log_and_no_repr_has_the_token(
    gateway: RestServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = provider_of(gateway)
    manager = await launched(provider)
    await manager.kill()
    told = [caplog.text, repr(manager), repr(provider), str(manager.describe())]

    assert "abcdef" in str(manager.connection_info)
    assert not [text for text in told if "abcdef" in text]
