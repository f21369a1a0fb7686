"""What a kernel may use, and what is told of the limit that struck it."""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest

from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import LaunchOptionError
from kernel_mgmt.types import ExitStatus, LaunchOptions, ResourceLimits
from kernel_mgmt_subprocess import (
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
)
from kernel_mgmt_subprocess._limits import find_struck_limit

pytestmark = pytest.mark.anyio
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has prlimit")

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
ALLOCATE = "kept = []\nwhile True: kept.append(bytearray(1 << 20))"
SPIN = "while True: pass"
OUTLIVE_SIGXCPU = "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\n" + SPIN
OPEN = "kept = []\nwhile True: kept.append(open('/dev/null'))"


async def ended(
    launcher_class: Launcher, script: str, runtime_dir: Path, **limits: Any
) -> ExitStatus:
    """Run a script under limits, and tell how it ended."""
    options = LaunchOptions(limits=ResourceLimits(**limits))
    argv = [sys.executable, "-S", "-c", script]
    _, manager = await launcher_class(argv, options=options, runtime_dir=runtime_dir).launch()
    try:
        with anyio.fail_after(30):
            await manager.wait()
    finally:
        await manager.kill()
        await manager.cleanup()
    assert manager.exit_status is not None
    return manager.exit_status


@linux
async def test_a_kernel_that_allocates_too_much_fails_and_its_tail_tells(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    status = await ended(launcher_class, ALLOCATE, runtime_dir, memory=200_000_000)

    assert status.code == 1
    assert "MemoryError" in status.tail
    assert status.limit == "memory"
    assert str(status) == "exit code 1, for its limit of memory"


@linux
async def test_a_kernel_that_computes_for_too_long_is_ended(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    status = await ended(launcher_class, SPIN, runtime_dir, cpu_time=1)

    assert status == ExitStatus(signal=signal.SIGXCPU, limit="cpu_time")
    assert str(status) == "killed by SIGXCPU, for its limit of cpu_time"


@linux
async def test_a_kernel_that_ignores_the_limit_of_cpu_time_is_killed_soon(
    runtime_dir: Path,
) -> None:
    status = await ended(SubprocessKernelLauncher, OUTLIVE_SIGXCPU, runtime_dir, cpu_time=1)

    assert status == ExitStatus(signal=signal.SIGKILL)


@linux
async def test_a_kernel_that_opens_too_many_files_fails_and_its_tail_tells(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    status = await ended(launcher_class, OPEN, runtime_dir, open_files=50)

    assert status.code == 1
    assert status.limit == "open_files"


@linux
async def test_a_limit_is_never_more_than_the_caller_has_itself(runtime_dir: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = (hard if hard > 0 else soft) + 1
    options = LaunchOptions(limits=ResourceLimits(open_files=more, cpu_time=1_000_000))
    argv = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    _, manager = await SubprocessKernelLauncher(
        argv, options=options, runtime_dir=runtime_dir
    ).launch()
    limits = resource.prlimit(manager.pid, resource.RLIMIT_NOFILE)
    cpu_time = resource.prlimit(manager.pid, resource.RLIMIT_CPU)
    await manager.kill()
    await manager.cleanup()

    assert limits == (soft, hard)
    assert cpu_time[0] == 1_000_000


@linux
async def test_a_real_kernel_outlives_a_request_that_wants_too_much_memory(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    options = LaunchOptions(limits=ResourceLimits(memory=1_000_000_000))
    launcher = launcher_class(IPYKERNEL, options=options, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    try:
        async with KernelClient(connection_info, manager) as client:
            await client.wait_for_ready(30)
            refused = await client.execute("data = bytearray(2_000_000_000)")
            served = await client.execute("data = bytearray(1000)")
    finally:
        await manager.kill()
        await manager.cleanup()

    assert refused.content["ename"] == "MemoryError"
    assert served.content["status"] == "ok"


@linux
@pytest.mark.parametrize("value", [0, -1, 1.5, "1", True])
@pytest.mark.parametrize("name", ["memory", "cpu_time", "open_files"])
async def test_a_limit_that_is_no_positive_number_is_refused(
    name: str, value: Any, runtime_dir: Path
) -> None:
    options = LaunchOptions(limits=ResourceLimits(**{name: value}))

    with pytest.raises(LaunchOptionError, match=f"{name} is {value!r}"):
        await SubprocessKernelLauncher(["a"], options=options, runtime_dir=runtime_dir).launch()


@pytest.mark.skipif(sys.platform == "linux", reason="elsewhere: Linux has prlimit")
async def test_limits_are_refused_where_they_cannot_be_set(runtime_dir: Path) -> None:
    options = LaunchOptions(limits=ResourceLimits(cpu_time=1))

    with pytest.raises(LaunchOptionError, match="only Linux has prlimit"):
        await SubprocessKernelLauncher(["a"], options=options, runtime_dir=runtime_dir).launch()


def test_a_limit_that_was_not_set_has_not_struck() -> None:
    limits = ResourceLimits(open_files=9)

    assert find_struck_limit(None, 1, "MemoryError", limits) is None
    assert find_struck_limit(None, 0, "Too many open files", limits) is None
    assert find_struck_limit(None, 1, "Too many open files", limits) == "open_files"
