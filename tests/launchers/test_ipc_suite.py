"""The launcher for IPC, and its managers, keep the contract."""

from __future__ import annotations

import pytest

from kernel_mgmt.testing import LauncherSuite, ManagerSuite
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher


@pytest.fixture(autouse=True)
def nothing_is_left() -> None:
    """The suite looks for itself; a client's context, besides, keeps descriptors."""


class TestIPCLauncher(LauncherSuite, ManagerSuite):
    @pytest.fixture
    def make_launcher(self) -> type[SubprocessIPCKernelLauncher]:
        return SubprocessIPCKernelLauncher


class TestIPCLauncherOfIPykernel(TestIPCLauncher):
    kernel_cmd = ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
    code = "print('hello')"
    long_code = "import time; print('begun', flush=True); time.sleep(60)"
