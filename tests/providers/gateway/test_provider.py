"""Kernel types of real gateways are found and launched."""

from __future__ import annotations

import anyio
import pytest

from kernel_mgmt import KernelFinder, run_kernel_async
from kernel_mgmt_gateway import GatewayKernelProvider, GatewaySettings

from .conftest import Server

pytestmark = pytest.mark.anyio


def provider_of(server: Server) -> GatewayKernelProvider:
    return GatewayKernelProvider([GatewaySettings(server.url, auth_token=server.token)])


async def test_a_kernel_of_a_gateway_is_found_launched_and_ended(real_server: Server) -> None:
    before = real_server.ask("GET", "/kernels")
    finder = KernelFinder([provider_of(real_server)])
    results: list[str] = []
    with anyio.fail_after(60):
        names = [name async for name, _ in finder.find_kernels_async()]
        async with run_kernel_async("gateway/python3", finder=finder) as client:
            async for message in client.execute("6 * 7"):
                if message.msg_type == "execute_result":
                    results.append(message.content["data"]["text/plain"])
        after = real_server.ask("GET", "/kernels")

    assert finder.problems == ()
    assert "gateway/python3" in names
    assert results == ["42"]
    assert after == before
