"""A provider of fake kernels, for tests of what stands above the providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kernel_mgmt import (
    ConnectionInfo,
    KernelAttributes,
    KernelManagerABC,
    KernelProviderBase,
    LaunchOptions,
)
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_subprocess import (
    SubprocessHandshakeKernelLauncher,
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
    SubprocessLauncher,
)

LAUNCHERS: dict[str, Callable[..., SubprocessLauncher]] = {
    "tcp": SubprocessKernelLauncher,
    "ipc": SubprocessIPCKernelLauncher,
    "handshake": SubprocessHandshakeKernelLauncher,
}


class FakeProvider(KernelProviderBase):
    """Offers fake kernels over tcp, ipc, and tcp after a handshake, with some switches.

    :ivar launched: how to reach each kernel that it has launched
    """

    id = "fake"

    def __init__(self, *switches: str) -> None:
        self.switches = switches
        self.launched: list[ConnectionInfo] = []

    def find_kernels(self) -> Iterator[tuple[str, KernelAttributes]]:
        for transport in LAUNCHERS:
            yield transport, {}

    async def launch(
        self,
        name: str,
        cwd: object = None,
        launch_params: object = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC]:
        argv = fake_kernel_argv("--handshake", "dealer", *self.switches)
        connection_info, manager = await LAUNCHERS[name](argv, options=options).launch()
        self.launched.append(connection_info)
        return connection_info, manager
