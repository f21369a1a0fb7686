"""The classic manager of many kernels for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from inspect import getmembers
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

import pytest

from kernel_mgmt import DuplicateKernelError, KernelFinder, KernelLaunchError
from kernel_mgmt.classic import AsyncMultiKernelManager, KernelManager, MultiKernelManager
from kernel_mgmt_pyimport import IPykernelProvider
from tests.lives_provider import LivesProvider

from .conftest import MINE

Make: TypeAlias = Callable[..., MultiKernelManager]


@pytest.fixture
def make(runtime_dir: Path) -> Iterator[Make]:
    """A function that makes a manager of fake kernels, which are killed in the end."""
    with ExitStack() as stack:

        def make(provider: LivesProvider | None = None, **settings: Any) -> MultiKernelManager:
            provider = LivesProvider() if provider is None else provider
            settings.setdefault("kernel_finder", KernelFinder([provider, IPykernelProvider()]))
            kernels = MultiKernelManager(default_kernel_name="lives/ipc", **settings)
            stack.callback(kernels.shutdown_all, now=True)
            return kernels

        yield make


def test_the_public_names_are_those_of_the_asynchronous_manager() -> None:
    names = [
        {name for name, _ in getmembers(kind) if not name.startswith("_")}
        for kind in (MultiKernelManager, AsyncMultiKernelManager)
    ]

    assert names[0] == names[1]


def test_thirty_kernels_are_started_by_many_threads_and_ended_at_once(make: Make) -> None:
    provider = LivesProvider()
    kernels = make(provider)
    names = ["pyimport/kernel"] * 2 + ["lives/ipc", "lives/tcp"] * 14

    with ThreadPoolExecutor(30) as threads:
        ids = list(threads.map(kernels.start_kernel, names))
        alive = list(threads.map(kernels.is_alive, ids))
    known = set(kernels.list_kernel_ids())
    kernels.shutdown_all()

    assert alive == [True] * 30
    assert known == set(ids)
    assert len(kernels) == 0
    assert all(manager.exit_status is not None for manager in provider.managers)


def test_a_manager_works_inside_a_running_loop(make: Make) -> None:
    kernels = make()

    async def main() -> str:
        kernel_id = kernels.start_kernel()
        client = kernels.get_kernel(kernel_id).client()
        client.start_channels()
        client.wait_for_ready(30)
        reply = client.execute("result 1", reply=True, timeout=30)
        client.stop_channels()
        kernels.shutdown_all()
        return str(reply["content"]["status"])

    assert asyncio.run(main()) == "ok"


def test_what_is_done_with_one_kernel_reaches_its_manager(make: Make) -> None:
    kernels = make(LivesProvider(["--ignore-shutdown"]))
    kernel_id = kernels.start_kernel(kernel_id=MINE)
    other = kernels.start_kernel()

    with pytest.raises(DuplicateKernelError):
        kernels.start_kernel(kernel_id=MINE)
    kernels.restart_kernel(kernel_id, now=True)
    kernels.interrupt_kernel(kernel_id)
    kernels.signal_kernel(kernel_id, 0)
    killed = kernels.kill_kernel(kernel_id)
    kernels.request_shutdown(other)
    stage = kernels.finish_shutdown(other, waittime=0.2)
    kernels.cleanup_resources(other)
    removed = kernels.remove_kernel(other)

    assert killed == "killed"
    assert stage == "terminated"
    assert removed is not None
    assert kernels.list_kernel_ids() == []
    with pytest.raises(KeyError):
        kernels.shutdown_kernel(other)


def test_an_id_is_had_once_also_of_two_threads_at_once(make: Make) -> None:
    both = threading.Barrier(2)

    def make_manager(**settings: Any) -> KernelManager:
        both.wait(30)
        return KernelManager(**settings)

    kernels = make(kernel_manager_factory=make_manager)

    with ThreadPoolExecutor(2) as threads:
        starts = [threads.submit(kernels.start_kernel, kernel_id=MINE) for _ in range(2)]
    errors = [type(start.exception()) for start in starts]

    assert sorted(errors, key=str) == [type(None), DuplicateKernelError]
    assert kernels.list_kernel_ids() == [MINE]


def test_a_start_that_fails_leaves_no_kernel_and_no_id(make: Make) -> None:
    kernels = make(LivesProvider(["--exit-at-start", "3"], []))

    with pytest.raises(KernelLaunchError):
        kernels.start_kernel(kernel_id=MINE)
    kernels.start_kernel(kernel_id=MINE)

    assert kernels.is_alive(MINE)


def test_kernels_that_die_are_started_again_and_callbacks_told(make: Make) -> None:
    kernels = make()
    kernel_id = kernels.start_kernel()
    told = threading.Event()

    def note(event: dict[str, Any]) -> None:
        told.set()

    kernels.add_restart_callback(kernel_id, note, "restarted")

    kernels.signal_kernel(kernel_id, 9)
    restarted = told.wait(30)

    assert restarted
    assert kernels.is_alive(kernel_id)


def test_a_kernel_that_nobody_uses_is_ended(make: Make) -> None:
    now = datetime.now(UTC) + timedelta(hours=2)
    kernels = make(cull_idle_timeout=3600, cull_interval=0.005, now=lambda: now)

    manager = kernels.get_kernel(kernels.start_kernel())
    manager.ready.result(30)
    until = monotonic() + 30
    while len(kernels) and monotonic() < until:
        pass

    assert not manager.is_alive()
