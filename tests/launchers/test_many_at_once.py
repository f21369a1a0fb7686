"""Many kernels that are launched at once, while another program takes ports."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import anyio
import pytest

from kernel_mgmt import (
    ConnectionInfo,
    KernelFinder,
    KernelManagerABC,
    LaunchOptions,
    run_kernel_async,
)
from kernel_mgmt_subprocess._connection_file import ports_of
from tests.fake_provider import FakeProvider

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux can hold ports"),
]

KERNELS = 50
PROGRAM = Path(__file__).with_name("port_grabber.py")


class NotingProvider(FakeProvider):
    """Notes which ports its kernels have, and since when."""

    def __init__(self) -> None:
        super().__init__()
        self.since: dict[int, float] = {}
        self.launches = 0

    async def launch(
        self,
        name: str,
        cwd: object = None,
        launch_params: object = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC]:
        self.launches += 1
        connection_info, manager = await super().launch(name, cwd, launch_params, options=options)
        self.since |= dict.fromkeys(ports_of(connection_info), time.monotonic())
        return connection_info, manager


@pytest.fixture(autouse=True)
def _many_descriptors() -> Iterator[None]:
    """Allow as many open files as there may be; by default they are often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def grabbing_ports() -> Generator[Popen[str]]:
    """Have another program take ports and let go of them, again and again."""
    with Popen([sys.executable, str(PROGRAM)], stdin=PIPE, stdout=PIPE, text=True) as grabber:
        assert grabber.stdout is not None
        try:
            assert grabber.stdout.readline() == "begun\n"
            yield grabber
        finally:
            grabber.kill()


def given_to(grabber: Popen[str], since: dict[int, float]) -> tuple[int, list[int]]:
    """Return how many ports it was given, and which of them were those of others by then."""
    assert grabber.stdin is not None
    assert grabber.stdout is not None
    grabber.stdin.write(json.dumps(since) + "\n")
    grabber.stdin.flush()
    given, those_of_others = json.loads(grabber.stdout.readline())
    return given, those_of_others


async def test_fifty_launches_at_once_have_ports_that_nobody_else_is_given(
    runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime_dir))
    provider = NotingProvider()
    finder = KernelFinder([provider])
    statuses: list[str] = []
    given, those_of_kernels = 0, [-1]
    all_are_ready, done = anyio.Event(), anyio.Event()

    async def run() -> None:
        async with run_kernel_async("fake/tcp", finder=finder) as client:
            statuses.append((await client.execute("pid")).content["status"])
            if len(statuses) == KERNELS:
                all_are_ready.set()
            await done.wait()

    with grabbing_ports() as grabber, anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for _ in range(KERNELS):
                tasks.start_soon(run)
            await all_are_ready.wait()
            given, those_of_kernels = given_to(grabber, provider.since)
            done.set()

    assert statuses == ["ok"] * KERNELS
    assert provider.launches == KERNELS
    assert len(provider.since) == 5 * KERNELS
    assert given > 10_000
    assert those_of_kernels == []
