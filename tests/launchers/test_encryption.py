"""Messages that are encrypted with CURVE, from the launch to the client."""

from __future__ import annotations

import json
import logging
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest
import zmq

from kernel_mgmt.client import KernelClient
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import KernelLaunchError, StartupTimeoutError
from kernel_mgmt.start import start_kernel_async
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt.types import ConnectionInfo, LaunchOptions
from kernel_mgmt_spec import KernelSpecProvider
from kernel_mgmt_subprocess import (
    KernelManager,
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
    make_launcher,
)

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not zmq.has("curve"), reason="this libzmq has no CURVE"),
]

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]
Launch: TypeAlias = Callable[..., Awaitable[tuple[ConnectionInfo, KernelManager]]]

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
ASK_BY_JUPYTER_CLIENT = """
import sys
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient()
client.load_connection_file(sys.argv[1])
client.start_channels()
client.wait_for_ready(timeout=30)
print(client.execute("1", reply=True, timeout=30)["content"]["status"])
client.stop_channels()
"""
SAYS_CURVE: Any = {"supported_encryption": ["curve"]}


@pytest.fixture
async def launch(runtime_dir: Path) -> AsyncIterator[Launch]:
    """A function that launches a kernel which says that it can encrypt."""
    async with AsyncExitStack() as stack:

        async def launch(argv: list[str], **options: Any) -> tuple[ConnectionInfo, KernelManager]:
            launcher = make_launcher(
                {"argv": argv, "metadata": SAYS_CURVE},
                kernel_name="a",
                options=LaunchOptions(**options),
                runtime_dir=runtime_dir,
            )
            connection_info, manager = await launcher.launch()
            stack.push_async_callback(manager.cleanup)
            stack.push_async_callback(manager.kill)
            return connection_info, manager

        yield launch


def without_keys(connection_info: ConnectionInfo) -> ConnectionInfo:
    """The connection info as a client reads it that does not know CURVE."""
    plain = connection_info.copy()
    del plain["curve_publickey"], plain["curve_secretkey"]
    return plain


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (fake_kernel_argv(), {}),
        (fake_kernel_argv(), {"transport": "ipc", "encryption": "required"}),
        (IPYKERNEL, {"transport": "tcp"}),
        (IPYKERNEL, {"encryption": "required"}),
    ],
    ids=["fake-tcp", "fake-ipc", "ipykernel-tcp", "ipykernel-ipc"],
)
async def test_an_encrypted_kernel_works_and_shuts_plain_clients_out(
    launch: Launch, argv: list[str], options: dict[str, Any]
) -> None:
    connection_info, manager = await launch(argv, **options)
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)
        reply = await client.execute("print")
        async with KernelClient(without_keys(connection_info)) as plain:
            with pytest.raises(TimeoutError):
                await plain.wait_for_ready(0.3)
        again = await client.kernel_info()

    assert reply.content["status"] == "ok"
    assert again.content["status"] == "ok"


async def test_the_keys_are_in_the_connection_file_and_nowhere_else(
    launch: Launch, runtime_dir: Path, kernel_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    connection_info, manager = await launch(fake_kernel_argv(), kernel_id=kernel_id)
    async with KernelClient(connection_info, manager) as client:
        await client.wait_for_ready(30)
        shown = repr(client) + repr(manager)
    path = runtime_dir / f"kernel-{kernel_id}.json"
    keys = [connection_info.get("curve_publickey", ""), connection_info.get("curve_secretkey", "")]

    assert json.loads(path.read_text()) == connection_info
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [len(key) for key in keys] == [40, 40]
    assert zmq.curve_public(keys[1].encode()) == keys[0].encode()
    environment = Path(f"/proc/{manager.pid}/environ")
    told = [shown, caplog.text, *(environment.read_text() if environment.exists() else "",)]
    assert [(key, text) for key in keys for text in told if key in text] == []


async def test_each_kernel_has_keys_of_its_own(launch: Launch) -> None:
    one, _ = await launch(fake_kernel_argv())
    other, _ = await launch(fake_kernel_argv())

    assert one.get("curve_secretkey") != other.get("curve_secretkey")


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
async def test_a_kernel_that_ignores_curve_is_given_up_at_once(
    launch: Launch, transport: str
) -> None:
    argv = fake_kernel_argv("--ignore-curve")
    connection_info, manager = await launch(argv, transport=transport, encryption="required")
    with anyio.fail_after(20):
        async with KernelClient(connection_info, manager) as client:
            with pytest.raises(KernelLaunchError, match=r"plain text, .* encrypted with CURVE"):
                await client.wait_for_ready()


async def test_a_client_of_another_program_is_told_of_it_too(launch: Launch) -> None:
    connection_info, _ = await launch(fake_kernel_argv("--ignore-curve"))
    with anyio.fail_after(20):
        async with KernelClient(connection_info) as client:
            request = client.kernel_info()
            with pytest.raises(KernelLaunchError, match="CURVE"):
                await request


@pytest.mark.parametrize(
    ("switches", "error", "told"),
    [
        (["--ignore-curve"], KernelLaunchError, r"encrypted with CURVE; correct .* -m kernel_mgmt"),
        (["--mute", "kernel_info_request"], StartupTimeoutError, "encrypted with CURVE"),
    ],
)
async def test_a_start_that_fails_names_curve(
    switches: list[str],
    error: type[KernelLaunchError],
    told: str,
    tmp_path: Path,
    runtime_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime_dir))
    spec = {
        "argv": fake_kernel_argv(*switches),
        "display_name": "Fake",
        "language": "fake",
        "metadata": SAYS_CURVE,
    }
    (tmp_path / "kernels" / "fake").mkdir(parents=True)
    (tmp_path / "kernels" / "fake" / "kernel.json").write_text(json.dumps(spec))
    finder = KernelFinder([KernelSpecProvider([tmp_path / "kernels"])])
    timeout = 1 if error is StartupTimeoutError else 30

    with pytest.raises(error, match=told):
        await start_kernel_async("spec/fake", finder=finder, startup_timeout=timeout)


async def test_jupyter_client_reads_the_keys_from_the_connection_file(
    launch: Launch, runtime_dir: Path, kernel_id: str
) -> None:
    pytest.importorskip("jupyter_client", "8.9")
    await launch(IPYKERNEL, transport="tcp", kernel_id=kernel_id)
    path = str(runtime_dir / f"kernel-{kernel_id}.json")

    # Its event loop stays open, and so it runs in a process of its own.
    with anyio.fail_after(60):
        completed = await anyio.run_process([sys.executable, "-c", ASK_BY_JUPYTER_CLIENT, path])

    assert completed.stdout.strip() == b"ok"


async def test_a_launcher_encrypts_what_it_is_asked_to(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    required = LaunchOptions(encryption="required")
    for launcher in (
        launcher_class(fake_kernel_argv(), encrypt=True, runtime_dir=runtime_dir),
        launcher_class(fake_kernel_argv(), options=required, runtime_dir=runtime_dir),
    ):
        connection_info, manager = await launcher.launch()
        await manager.kill()
        await manager.cleanup()

        assert "curve_secretkey" in connection_info


@pytest.mark.parametrize("missing", ["curve_publickey", "curve_secretkey"])
def test_half_a_pair_of_keys_is_of_no_use(missing: str) -> None:
    connection_info: Any = dict(WRONG_KEYS)
    del connection_info[missing]

    with pytest.raises(ValueError, match="one CURVE key, and should have two or none"):
        KernelClient(connection_info)


async def test_keys_that_are_none_are_of_no_use() -> None:
    client = KernelClient(WRONG_KEYS)
    with pytest.raises(ValueError, match="of no use to ZeroMQ"):
        client.kernel_info()
    client.close()


WRONG_KEYS: ConnectionInfo = {
    "transport": "tcp",
    "ip": "127.0.0.1",
    "shell_port": 1,
    "iopub_port": 2,
    "stdin_port": 3,
    "control_port": 4,
    "hb_port": 5,
    "key": "k",
    "curve_publickey": "p",
    "curve_secretkey": "s",
}
