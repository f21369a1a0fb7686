"""The classic manager of one kernel for code that is not asynchronous."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from inspect import getmembers
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from kernel_mgmt import KernelFinder, KernelLaunchError
from kernel_mgmt.classic import (
    AsyncKernelManager,
    BlockingKernelClient,
    KernelManager,
    run_kernel,
    start_new_kernel,
)
from kernel_mgmt_pyimport import IPykernelProvider
from tests.lives_provider import LivesProvider

Make: TypeAlias = Callable[..., KernelManager]


@pytest.fixture
def make(runtime_dir: Path) -> Iterator[Make]:
    """A function that makes a manager of fake kernels; its kernel is killed in the end."""
    with ExitStack() as stack:

        def make(
            provider: LivesProvider | None = None, name: str = "lives/ipc", **settings: Any
        ) -> KernelManager:
            provider = LivesProvider() if provider is None else provider
            settings = {"kernel_finder": provider.finder} | settings
            manager = KernelManager(kernel_name=name, **settings)
            stack.callback(manager.shutdown_kernel, now=True)
            return manager

        yield make


def status_of(client: BlockingKernelClient, code: str) -> str:
    return str(client.execute(code, reply=True, timeout=30)["content"]["status"])


def test_the_public_names_are_those_of_the_asynchronous_manager() -> None:
    names = [
        {name for name, _ in getmembers(kind) if not name.startswith("_")}
        for kind in (KernelManager, AsyncKernelManager)
    ]

    assert names[0] == names[1]


def test_a_kernel_is_started_used_restarted_and_shut_down(make: Make) -> None:
    manager = make(name="lives/tcp")
    manager.start_kernel()
    ports = manager.ports
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(30)

    first = status_of(client, "result 1")
    manager.restart_kernel()
    second = status_of(client, "result 1")
    same = manager.ports == ports
    manager.restart_kernel(now=True, newports=True)
    third = status_of(client, "result 1")
    client.stop_channels()
    changed = set(manager.ports).isdisjoint(ports)
    stage = manager.shutdown_kernel()

    assert (first, second, third) == ("ok", "ok", "ok")
    assert same
    assert changed
    assert stage == "shutdown"
    assert manager.ready.result(30) is None
    assert not manager.is_alive()


def test_a_manager_works_inside_a_running_loop(make: Make) -> None:
    manager = make()

    async def main() -> bool:
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(30)
        client.execute_interactive("print a", output_hook=print, timeout=30)
        client.stop_channels()
        return manager.is_alive()

    assert asyncio.run(main())


def test_a_start_that_fails_says_how(make: Make) -> None:
    manager = make(LivesProvider(["--exit-at-start", "3", "--stderr", "no licence"]))

    with pytest.raises(KernelLaunchError, match=r"(?s)exit code 3.*no licence"):
        manager.start_kernel()

    assert not manager.has_kernel


def test_ctrl_c_ends_a_start_and_leaves_nothing(make: Make) -> None:
    provider = LivesProvider(["--slow-start", "60"])
    manager = make(provider)
    provider.about_to_launch = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start

    with pytest.raises(KeyboardInterrupt):
        manager.start_kernel()

    assert not manager.is_alive()
    assert manager.ready.done()


def test_calls_of_many_threads_at_once_have_one_outcome(make: Make) -> None:
    provider = LivesProvider()
    manager = make(provider)

    with ThreadPoolExecutor(8) as threads:
        for start in [threads.submit(manager.start_kernel) for _ in range(8)]:
            start.result()
        alive = [asked.result() for asked in [threads.submit(manager.is_alive) for _ in range(8)]]
        ends = [threads.submit(manager.shutdown_kernel) for _ in range(8)]
        stages = [end.result() for end in ends]

    assert alive == [True] * 8
    assert "shutdown" in stages
    assert set(stages) <= {"shutdown", "dead"}
    assert len(provider.launches) == 1


def test_an_interrupt_and_a_signal_reach_the_kernel(make: Make) -> None:
    manager = make()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(30)

    client.execute("print a\nsleep 60")
    while client.get_iopub_msg(timeout=30)["msg_type"] != "stream":
        pass
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=30)
    client.stop_channels()
    manager.signal_kernel(signal.SIGTERM)

    assert reply["content"]["status"] == "error"


def test_a_callback_runs_in_a_thread_of_its_own_and_may_call_the_manager(make: Make) -> None:
    manager = make(autorestart=True)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    told: list[bool] = []
    done = threading.Event()

    def note(event: dict[str, Any]) -> None:
        told.append(manager.is_alive())
        done.set()

    def fail() -> None:
        raise ZeroDivisionError

    manager.add_restart_callback(fail)
    manager.add_restart_callback(note, "restarted")
    client.execute("kill")
    restarted = done.wait(30)
    client.wait_for_ready(30)
    status = status_of(client, "result 1")
    client.stop_channels()
    manager.remove_restart_callback(note, "restarted")

    assert restarted
    assert told == [True]
    assert status == "ok"


def test_a_shutdown_is_done_by_hand(make: Make) -> None:
    manager = make(LivesProvider(["--ignore-shutdown"]))
    manager.start_kernel()

    manager.request_shutdown()
    stage = manager.finish_shutdown(waittime=0.2)
    manager.cleanup_resources()
    manager.cleanup()

    assert stage == "terminated"
    assert manager.kill_kernel() == "dead"


def test_a_second_client_attaches_by_the_connection_file(make: Make) -> None:
    manager = make()
    manager.start_kernel()

    client = BlockingKernelClient(connection_file=manager.connection_file)
    client.load_connection_file()
    client.start_channels()
    client.wait_for_ready(30)
    status = status_of(client, "result 1")
    client.stop_channels()

    assert status == "ok"


def test_start_new_kernel_gives_a_manager_and_a_client_that_is_ready(runtime_dir: Path) -> None:
    finder = KernelFinder([IPykernelProvider()])

    manager, client = start_new_kernel(kernel_finder=finder, env={"A": "b"})
    reply = client.execute(
        "1", user_expressions={"a": "__import__('os').environ['A']"}, reply=True, timeout=30
    )
    client.stop_channels()
    stage = manager.shutdown_kernel()

    assert reply["content"]["user_expressions"]["a"]["data"]["text/plain"] == "'b'"
    assert stage == "shutdown"


def test_start_new_kernel_leaves_nothing_when_the_kernel_does_not_start(runtime_dir: Path) -> None:
    provider = LivesProvider(["--slow-start", "60"])

    with pytest.raises(RuntimeError, match=r"within 0\.1 s"):
        start_new_kernel(0.1, "lives/ipc", kernel_finder=provider.finder)

    assert provider.managers[0].exit_status is not None


def test_run_kernel_ends_the_kernel_with_the_block(runtime_dir: Path) -> None:
    provider = LivesProvider()
    statuses: list[str] = []

    with (
        suppress(ZeroDivisionError),
        run_kernel(kernel_name="lives/ipc", kernel_finder=provider.finder) as client,
    ):
        statuses.append(status_of(client, "result 1"))
        raise ZeroDivisionError

    assert statuses == ["ok"]
    assert provider.managers[0].exit_status is not None
