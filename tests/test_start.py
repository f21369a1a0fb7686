from __future__ import annotations

import asyncio
import json
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from kernel_mgmt import (
    ClientClosedError,
    ConnectionInfo,
    KernelAttributes,
    KernelClient,
    KernelFinder,
    KernelLaunchError,
    KernelManagerABC,
    KernelProviderBase,
    LaunchOptions,
    Message,
    NoSuchKernelError,
    StartupTimeoutError,
    UnknownProviderError,
    run_kernel_async,
    run_kernel_blocking,
    start_kernel_async,
    start_kernel_blocking,
)
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_pyimport import IPykernelProvider
from kernel_mgmt_spec import KernelSpecProvider
from kernel_mgmt_subprocess import SubprocessKernelLauncher
from kernel_mgmt_subprocess._connection_file import ports_of

from .conftest import left_behind
from .fake_provider import FakeProvider

pytestmark = pytest.mark.anyio


@pytest.fixture
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runtime directory of the test, which is to be empty again in the end."""
    path = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(path))
    return path


@pytest.fixture
def add_kernel(tmp_path: Path) -> Callable[..., KernelFinder]:
    """A function that writes a kernelspec; it returns a finder that has it."""

    def add(name: str, argv: list[str]) -> KernelFinder:
        folder = tmp_path / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": argv, "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        provider = KernelSpecProvider(search_path=[str(tmp_path / "kernels")])
        return KernelFinder([provider, IPykernelProvider()])

    return add


def ipykernel_argv() -> list[str]:
    return [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


KERNELS = {
    "ipykernel": ipykernel_argv(),
    "xpython-raw": ["python3", "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"],
    "bash": ["python3", "-m", "bash_kernel", "-f", "{connection_file}"],
}


# xeus keeps an address in 32 bytes, so no private directory is short enough for it.
@pytest.mark.parametrize(
    ("kind", "transport"),
    [
        ("ipykernel", "tcp"),
        ("ipykernel", "ipc"),
        ("xpython-raw", "tcp"),
        ("bash", "tcp"),
        ("bash", "ipc"),
    ],
)
async def test_real_kernels_are_started_run_code_and_end(
    kind: str,
    transport: str,
    add_kernel: Callable[..., KernelFinder],
    runtime_dir: Path,
) -> None:
    finder = add_kernel(kind, KERNELS[kind])
    options = LaunchOptions(transport=transport)  # type: ignore[arg-type]

    with anyio.fail_after(60):
        manager, client = await start_kernel_async(f"spec/{kind}", finder=finder, options=options)
        async with client:
            code = "echo $((6 * 7))" if kind == "bash" else "print(6 * 7)"
            text = "".join(
                [
                    message.content["text"]
                    async for message in client.execute(code)
                    if message.msg_type == "stream"
                ]
            )
            await client.shutdown_or_terminate()

    assert text.strip() == "42"
    assert client.connection_info["transport"] == transport
    assert not await manager.is_alive()
    assert left_behind(runtime_dir) == []


async def test_this_interpreters_ipykernel_needs_no_kernelspec(runtime_dir: Path) -> None:
    finder = KernelFinder([IPykernelProvider()])

    with anyio.fail_after(60):
        async with run_kernel_async("pyimport/kernel", finder=finder) as client:
            reply = await client.execute("", user_expressions={"answer": "6 * 7"})

    assert reply.content["user_expressions"]["answer"]["data"]["text/plain"] == "42"
    assert left_behind(runtime_dir) == []


async def test_a_kernel_runs_in_the_directory_asked_for(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path, tmp_path: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())

    with anyio.fail_after(20):
        async with run_kernel_async("fake", tmp_path, finder=finder) as client:
            results = [
                message.content["data"]["text/plain"]
                async for message in client.execute("cwd")
                if message.msg_type == "execute_result"
            ]

    assert results == [str(tmp_path)]


async def test_leaving_the_block_by_an_error_ends_the_kernel(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())
    clients: list[KernelClient] = []

    async def fail() -> None:
        async with run_kernel_async("fake", finder=finder) as client:
            clients.append(client)
            raise ZeroDivisionError

    with anyio.fail_after(20):
        with pytest.raises(ZeroDivisionError):
            await fail()
        with pytest.raises(ClientClosedError):
            await clients[0].kernel_info()
    assert left_behind(runtime_dir) == []


@pytest.mark.parametrize(
    ("name", "error", "named"),
    [
        ("nowhere/kernel", UnknownProviderError, "nowhere"),
        ("spec/fak", NoSuchKernelError, "did you mean 'spec/fake'"),
        ("fak", NoSuchKernelError, "did you mean 'spec/fake'"),
        ("pyimport/other", NoSuchKernelError, "pyimport/kernel"),
    ],
)
async def test_an_unknown_name_is_told_with_what_is_near(
    name: str,
    error: type[Exception],
    named: str,
    add_kernel: Callable[..., KernelFinder],
    runtime_dir: Path,
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())

    with anyio.fail_after(30), pytest.raises(error, match=named):
        await start_kernel_async(name, finder=finder)

    assert left_behind(runtime_dir) == []


async def test_a_missing_executable_is_named(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("gone", ["/no/such/program", "{connection_file}"])

    with anyio.fail_after(30), pytest.raises(KernelLaunchError, match="/no/such/program"):
        await start_kernel_async("gone", finder=finder)

    assert left_behind(runtime_dir) == []


async def test_a_directory_that_does_not_exist_is_named(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())

    with anyio.fail_after(30), pytest.raises(KernelLaunchError, match="/no/such/directory"):
        await start_kernel_async("fake", "/no/such/directory", finder=finder)

    assert left_behind(runtime_dir) == []


class Adventurous(KernelProviderBase):
    """Launches a kernel and then returns something that is of no use."""

    id = "adventurous"

    def find_kernels(self) -> Iterator[tuple[str, KernelAttributes]]:
        yield "no-manager", {}
        yield "no-key", {}
        yield "no-address", {}
        yield "no-port", {}

    async def launch(
        self, name: str, cwd: object = None, launch_params: object = None, *, options: object = None
    ) -> tuple[ConnectionInfo, KernelManagerABC | None]:
        if name == "no-manager":
            return {"transport": "tcp"}, None
        connection_info, manager = await SubprocessKernelLauncher(fake_kernel_argv()).launch()
        match name:
            case "no-key":
                connection_info["key"] = ""
            case "no-address":
                connection_info["ip"] = "nowhere at all"
            case _:
                connection_info["shell_port"] = 0
        return connection_info, manager


@pytest.mark.parametrize(
    ("kernel", "named"),
    [
        ("no-manager", "no manager"),
        ("no-key", "no key"),
        ("no-address", "of no use to ZeroMQ"),
        ("no-port", "no shell_port"),
    ],
)
async def test_what_a_provider_returns_is_not_trusted(
    kernel: str, named: str, runtime_dir: Path
) -> None:
    finder = KernelFinder([Adventurous()])

    with anyio.fail_after(30), pytest.raises(KernelLaunchError, match=named):
        await start_kernel_async(f"adventurous/{kernel}", finder=finder)

    assert left_behind(runtime_dir) == []


async def test_a_kernel_that_exits_at_once_tells_code_argv_and_last_words(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    argv = [sys.executable, "-c", "import sys; sys.exit('no licence')", "{connection_file}"]
    finder = add_kernel("broken", argv)

    with anyio.fail_after(30), pytest.raises(KernelLaunchError) as caught:
        await start_kernel_async("broken", finder=finder)

    assert caught.value.exit_status is not None
    assert caught.value.exit_status.code == 1
    assert caught.value.argv[:3] == argv[:3]
    assert "no licence" in caught.value.exit_status.tail
    for part in ("exit code 1", "no licence", shlex.join(argv[:3])):
        assert part in str(caught.value)
    assert left_behind(runtime_dir) == []


async def test_a_kernel_that_is_not_ready_in_time_is_ended(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("slow", fake_kernel_argv("--slow-start", "60", "--stderr", "one moment"))

    with anyio.fail_after(30), pytest.raises(StartupTimeoutError, match=r"0\.5 s") as caught:
        await start_kernel_async("slow", finder=finder, startup_timeout=0.5)

    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, KernelLaunchError)
    assert "one moment" in str(caught.value)
    assert left_behind(runtime_dir) == []


class Hanging(KernelProviderBase):
    """Waits for what does not come before it launches a kernel, or after, or launches it late."""

    id = "hanging"

    def __init__(self) -> None:
        self.cancelled = False

    def find_kernels(self) -> Iterator[tuple[str, KernelAttributes]]:
        yield "before", {}
        yield "after", {}
        yield "until-late", {}

    async def launch(
        self, name: str, cwd: object = None, launch_params: object = None, *, options: object = None
    ) -> tuple[ConnectionInfo, KernelManagerABC]:
        if name == "until-late":
            too_late = anyio.current_effective_deadline()
            with anyio.CancelScope(shield=True):
                await anyio.sleep_until(too_late)
                return await SubprocessKernelLauncher(fake_kernel_argv()).launch()
        launcher = SubprocessKernelLauncher(fake_kernel_argv())
        launched = await launcher.launch() if name == "after" else None
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled = True
            if launched is not None:
                with anyio.CancelScope(shield=True):
                    await launched[1].kill()
                    await launched[1].cleanup()
        raise AssertionError


@pytest.mark.parametrize("kernel", ["before", "after"])
async def test_a_provider_that_hangs_in_its_launch_is_cancelled_and_named(
    kernel: str, runtime_dir: Path
) -> None:
    provider = Hanging()
    finder = KernelFinder([provider])

    with anyio.fail_after(30), pytest.raises(StartupTimeoutError) as caught:
        await start_kernel_async(f"hanging/{kernel}", finder=finder, startup_timeout=0.5)

    assert f"provider of 'hanging/{kernel}' did not launch it within 0.5 s" in str(caught.value)
    assert provider.cancelled
    assert left_behind(runtime_dir) == []


async def test_what_the_launch_takes_is_not_there_for_the_kernel(runtime_dir: Path) -> None:
    finder = KernelFinder([Hanging()])

    with anyio.fail_after(30), pytest.raises(StartupTimeoutError, match=r"not ready within 0\.5 s"):
        await start_kernel_async("hanging/until-late", finder=finder, startup_timeout=0.5)

    assert left_behind(runtime_dir) == []


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize("delay", [0, 0.001, 0.02, 0.1, 0.2])
async def test_a_cancelled_start_leaves_nothing(
    delay: float, transport: str, add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("slow", fake_kernel_argv("--slow-start", "60"))
    options = LaunchOptions(transport=transport)  # type: ignore[arg-type]

    with anyio.fail_after(30), anyio.move_on_after(delay):
        await start_kernel_async("slow", finder=finder, options=options)

    assert left_behind(runtime_dir) == []


async def test_a_kernel_that_finds_its_port_taken_is_launched_again(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    finder = add_kernel("unlucky", fake_kernel_argv("--fail-starts", "1", str(counter)))

    with anyio.fail_after(20):
        async with run_kernel_async("unlucky", finder=finder) as client:
            reply = await client.execute("result 1")

    assert reply.content["status"] == "ok"
    assert left_behind(runtime_dir) == []


async def test_a_kernel_that_finds_its_port_taken_is_launched_on_other_ports(
    runtime_dir: Path, tmp_path: Path
) -> None:
    provider = FakeProvider("--fail-starts", "2", str(tmp_path / "counter"))

    with anyio.fail_after(30):
        async with run_kernel_async("fake/tcp", finder=KernelFinder([provider])) as client:
            connection_info = client.connection_info

    assert len(provider.launched) == 3
    assert len({tuple(ports_of(each)) for each in provider.launched}) == 3
    assert provider.launched[-1] == connection_info
    assert left_behind(runtime_dir) == []


async def test_a_kernel_that_finds_its_ports_taken_each_time_is_given_up(
    runtime_dir: Path, tmp_path: Path
) -> None:
    provider = FakeProvider("--fail-starts", "99", str(tmp_path / "counter"))

    with anyio.fail_after(30), pytest.raises(KernelLaunchError, match="Address already in use"):
        await start_kernel_async("fake/tcp", finder=KernelFinder([provider]))

    assert len(provider.launched) == 3
    assert left_behind(runtime_dir) == []


def test_a_cancelled_task_of_plain_asyncio_leaves_nothing(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("slow", fake_kernel_argv("--slow-start", "60"))

    async def cancel() -> None:
        task = asyncio.create_task(start_kernel_async("slow", finder=finder))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())

    assert left_behind(runtime_dir) == []


def test_the_end_of_the_event_loop_closes_a_client_that_is_still_open(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path, anyio_backend: str
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())

    async def start() -> tuple[object, ...]:
        manager, client = await start_kernel_async("fake", finder=finder)
        assert await manager.is_alive()
        return manager, client

    manager, client = anyio.run(start, backend=anyio_backend)

    async def end() -> None:
        await manager.kill()  # type: ignore[attr-defined]
        await manager.cleanup()  # type: ignore[attr-defined]
        with pytest.raises((ClientClosedError, RuntimeError)):
            await client.kernel_info()  # type: ignore[attr-defined]

    anyio.run(end, backend=anyio_backend)
    assert left_behind(runtime_dir) == []


# The blocking layer


def test_blocking_code_runs_a_kernel(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())
    seen: list[str] = []

    with run_kernel_blocking("fake", finder=finder) as client:
        reply = client.execute_interactive(
            "print a", output_hook=lambda message: seen.append(message.msg_type), timeout=30
        )
        info = client.kernel_info(timeout=30).content

    assert reply.content["status"] == "ok"
    assert "stream" in seen
    assert info == client.kernel_info_dict
    assert left_behind(runtime_dir) == []


def test_a_blocking_start_is_ended_by_its_caller(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())

    manager, client = start_kernel_blocking("fake", finder=finder)
    with client:
        alive = client.is_alive()
        with pytest.raises(TimeoutError):
            client.execute("sleep 60", timeout=0.1)
        client.interrupt(timeout=30)
        stage = client.shutdown_or_terminate()

    assert alive
    assert client.manager is manager
    assert client.owned_kernel
    assert stage == "shutdown"
    assert left_behind(runtime_dir) == []


async def test_the_blocking_layer_works_inside_a_running_loop(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())

    with run_kernel_blocking("fake", finder=finder) as client:
        reply = client.execute("result 1", timeout=30)

    assert reply.content["status"] == "ok"


def test_many_threads_share_a_blocking_client(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())
    replies: list[str] = []

    with run_kernel_blocking("fake", finder=finder) as client:

        def ask() -> None:
            replies.append(client.execute("result 1", timeout=20).content["status"])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert replies == ["ok"] * 8


def test_a_blocking_handler_answers_for_input(
    add_kernel: Callable[..., KernelFinder], runtime_dir: Path
) -> None:
    finder = add_kernel("fake", fake_kernel_argv())
    results: list[str] = []

    def note(message: Message) -> None:
        if message.msg_type == "execute_result":
            results.append(message.content["data"]["text/plain"])

    with run_kernel_blocking("fake", finder=finder) as client:
        client.add_handler(lambda message: client.input("me", message), "stdin")
        client.execute_interactive(
            "input name", output_hook=note, stdin_hook=lambda message: None, timeout=30
        )

    assert results == ["me"]
