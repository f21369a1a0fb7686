"""The provider does what every provider must do, and its managers what every manager must."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import ClassVar

import anyio
import pytest

from kernel_mgmt import KernelClient
from kernel_mgmt.abc import KernelManagerABC
from kernel_mgmt.testing import ManagerSuite, ProviderSuite, check_entry_point
from kernel_mgmt_gateway import GatewayKernelProvider, SignalUnsupportedError

from .conftest import Server


def test_the_entry_point_is_that_of_the_provider(
    jupyter_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_GATEWAY_URL", jupyter_server.url)
    monkeypatch.setenv("JUPYTER_GATEWAY_AUTH_TOKEN", jupyter_server.token)

    assert isinstance(check_entry_point("gateway"), GatewayKernelProvider)


class TestGatewayKernelProvider(ProviderSuite, ManagerSuite):
    code: ClassVar[str] = "6 * 7"
    long_code: ClassVar[str] = "import time\nprint('begun', flush=True)\ntime.sleep(60)"

    @pytest.fixture
    def provider(
        self, jupyter_server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> GatewayKernelProvider:
        # As a program finds it that nobody has configured, and that makes another one.
        monkeypatch.setenv("JUPYTER_GATEWAY_URL", jupyter_server.url)
        monkeypatch.setenv("JUPYTER_GATEWAY_AUTH_TOKEN", jupyter_server.token)
        return GatewayKernelProvider()

    @pytest.fixture(autouse=True)
    def no_kernel_stays(self, jupyter_server: Server) -> Iterator[None]:
        """The kernels of a server are no processes of the test, and are looked for there."""
        before = jupyter_server.ask("GET", "/kernels")
        yield
        assert jupyter_server.ask("GET", "/kernels") == before

    async def test_a_signal_reaches_the_kernel(self, running_manager: KernelManagerABC) -> None:
        # A gateway has nothing but the interrupt.
        with anyio.fail_after(self.seconds):
            await running_manager.signal(signal.SIGINT)
            with pytest.raises(SignalUnsupportedError, match="SIGTERM cannot be sent"):
                await running_manager.signal(signal.SIGTERM)
            alive = await running_manager.is_alive()

        assert alive is True

    async def test_the_end_is_seen_though_nobody_waits(
        self, running_manager: KernelManagerABC
    ) -> None:
        # A shutdown request without the manager has the server start the kernel again.
        async with KernelClient(running_manager.connection_info) as client:
            with anyio.fail_after(self.seconds):
                await client.wait_for_ready()
                provider = GatewayKernelProvider()
                await (await provider.attach(running_manager.kernel_id)).kill()
                alive = await running_manager.is_alive()

        assert alive is False
