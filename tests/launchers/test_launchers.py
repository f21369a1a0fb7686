"""What both launchers do: files, command, environment, and the ways to fail."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import TypeAlias

import pytest

from kernel_mgmt.types import LaunchOptions
from kernel_mgmt_subprocess import SubprocessIPCKernelLauncher, SubprocessKernelLauncher

pytestmark = pytest.mark.anyio

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]

SLEEPS = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(params=[SubprocessKernelLauncher, SubprocessIPCKernelLauncher])
def launcher_class(request: pytest.FixtureRequest) -> Launcher:
    """Each of the launchers."""
    launcher: Launcher = request.param
    return launcher


async def test_the_connection_file_holds_the_connection_info(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    launcher = launcher_class(
        SLEEPS, options=LaunchOptions(kernel_id="k1"), kernel_name="a", runtime_dir=runtime_dir
    )
    connection_info, manager = await launcher.launch()
    written = json.loads((runtime_dir / "kernel-k1.json").read_text())
    await manager.kill()
    await manager.cleanup()

    assert written == connection_info == manager.connection_info
    assert written["transport"] == launcher_class.transport
    assert written["signature_scheme"] == "hmac-sha256"
    assert written["kernel_name"] == "a"
    assert len(bytes.fromhex(written["key"])) == 32


async def test_files_and_directories_are_for_their_owner_alone(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    _, manager = await launcher_class(SLEEPS, runtime_dir=runtime_dir).launch()
    modes = {name: stat.filemode(mode) for name, mode in _modes(runtime_dir).items()}
    await manager.kill()
    await manager.cleanup()

    assert {mode for mode in modes.values() if mode.startswith("-")} == {"-rw-------"}
    assert {mode for mode in modes.values() if mode.startswith("d")} == {"drwx------"}


def _modes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode for path in [directory, *directory.iterdir()]}
