"""Unmodified programs of Jupyter, with a real kernel behind a relay that is reached with CURVE."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

import pexpect
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.cli.screen import COLUMNS, LINES, Screen
from tests.conftest import processes_with

from .conftest import Start, install_elsewhere, outputs_of

SPEC = {
    "argv": ["of no account"],
    "display_name": "Elsewhere",
    "language": "python",
    "metadata": {
        "kernel_provisioner": {
            "provisioner_name": "kernel-mgmt",
            "config": {"kernel_type": "elsewhere/python"},
        }
    },
}


@pytest.fixture(scope="module", autouse=True)
def _elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """There is a provider whose kernels cannot be had where a program expects them."""
    root = tmp_path_factory.mktemp("elsewhere")
    directory = root / "share" / "kernels" / "elsewhere"
    directory.mkdir(parents=True)
    (directory / "kernel.json").write_text(json.dumps(SPEC), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(root / "share"))
        install_elsewhere(root, patch)
        yield


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelManager]:
    """A manager of jupyter_client, which has settled where it expects its kernel."""
    ports = {
        f"{channel}_port": number
        for number, channel in enumerate(("shell", "iopub", "stdin", "control", "hb"), 1)
    }
    ip = str(tmp_path_factory.mktemp("ipc") / "kernel")
    manager = KernelManager(kernel_name="elsewhere", transport="ipc", ip=ip, **ports)
    manager.start_kernel()
    yield manager
    manager.shutdown_kernel(now=True)


@contextmanager
def client_of(manager: KernelManager) -> Generator[BlockingKernelClient]:
    """A client with a session of its own, which those that a manager makes share."""
    client = BlockingKernelClient()
    client.load_connection_info(manager.get_connection_info())
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()


@pytest.fixture
def client(manager: KernelManager) -> Iterator[BlockingKernelClient]:
    with client_of(manager) as client:
        yield client


def test_the_kernel_is_reached_where_it_is_expected(
    manager: KernelManager, client: BlockingKernelClient
) -> None:
    info: dict[str, Any] = {**manager.get_connection_info()}
    ask: Any = client.complete

    assert (info["transport"], info["shell_port"], "curve_publickey" in info) == ("ipc", 1, False)
    assert outputs_of(client, "6 * 7")[-1]["content"]["data"]["text/plain"] == "42"
    assert ask("prin", reply=True, timeout=60)["content"]["matches"][0] == "print"
    assert client.is_alive()


def test_code_asks_the_program_that_runs_it(
    manager: KernelManager, client: BlockingKernelClient
) -> None:
    with client_of(manager) as other:
        outputs: list[dict[str, Any]] = []

        def answer(message: dict[str, Any]) -> None:
            client.input(message["content"]["prompt"])

        client.execute_interactive(
            "print(input('who? '))", stdin_hook=answer, output_hook=outputs.append, timeout=60
        )
        with pytest.raises(Empty):
            other.get_stdin_msg(timeout=0)

    texts = [each["content"]["text"] for each in outputs if each["msg_type"] == "stream"]
    assert "".join(texts) == "who? \n"


def test_an_interrupt_reaches_the_kernel(
    manager: KernelManager, client: BlockingKernelClient
) -> None:
    client.execute("import time; print('busy', flush=True); time.sleep(600)")
    while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass

    manager.interrupt_kernel()
    # It has asked more than once whether the kernel is ready, and may hear so still.
    while (reply := client.get_shell_msg(timeout=60))["msg_type"] != "execute_reply":
        pass

    assert reply["content"]["ename"] == "KeyboardInterrupt"


def test_a_comm_carries_buffers_both_ways(client: BlockingKernelClient) -> None:
    code = """
from comm import get_comm_manager
def opened(comm, message):
    comm.on_msg(lambda message: comm.send({}, buffers=[bytes(message["buffers"][0])[::-1]]))
get_comm_manager().register_target("echo", opened)
"""
    outputs_of(client, code)
    send(client, "comm_open", {"comm_id": "1", "target_name": "echo", "data": {}})
    send(client, "comm_msg", {"comm_id": "1", "data": {}}, [bytes(range(256)) * 1000])
    message = client.get_iopub_msg(timeout=60)
    while message["msg_type"] != "comm_msg":
        message = client.get_iopub_msg(timeout=60)

    assert bytes(message["buffers"][0]) == (bytes(range(256)) * 1000)[::-1]


def send(
    client: BlockingKernelClient, msg_type: str, content: dict[str, Any], buffers: Any = None
) -> None:
    message = client.session.msg(msg_type, content)
    client.session.send(client.shell_channel.socket, message, buffers=buffers)


def test_a_flood_is_read_to_its_end_by_each_of_two_programs(
    manager: KernelManager, client: BlockingKernelClient
) -> None:
    with client_of(manager) as other:
        code = "for n in range(2000): display({'text/plain': 'n'}, raw=True)"
        own = outputs_of(client, code)
        seen = 0
        while seen < 2000:
            seen += other.get_iopub_msg(timeout=60)["msg_type"] == "display_data"

    assert sum(each["msg_type"] == "display_data" for each in own) == 2000


def test_a_restart_keeps_the_ports_and_open_connections(
    manager: KernelManager, client: BlockingKernelClient
) -> None:
    before = manager.get_connection_info()
    outputs_of(client, "a = 1")
    manager.restart_kernel()
    client.wait_for_ready(timeout=60)

    assert outputs_of(client, "a")[-1]["content"]["ename"] == "NameError"
    with client_of(manager) as other:
        assert outputs_of(other, "a")[-1]["content"]["ename"] == "NameError"
    assert manager.get_connection_info() == before


def test_the_command_relays_for_jupyter_run_and_jupyter_console(
    manager: KernelManager, tmp_path: Path
) -> None:
    program = str(Path(sys.executable).with_name("kernel-mgmt"))
    path = str(tmp_path / "relayed.json")
    argv = [program, "relay", manager.connection_file, "--connection-file", path]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as relay:
        try:
            assert relay.stdout is not None
            printed = relay.stdout.readline().strip()
            mode = os.stat(path).st_mode & 0o777
            with terminal("jupyter_console", f"--existing={path}") as screen:
                screen.see("In [")
                screen.run("6 * 7", "]: 42")
            run = [sys.executable, "-m", "jupyter_client.runapp", f"--existing={path}"]
            ran = subprocess.check_output(run, input="print(6 * 7)\n", text=True, timeout=60)
        finally:
            relay.terminate()

    assert (printed, mode, os.path.exists(path)) == (path, 0o600, False)
    assert ran.strip() == "42"


@contextmanager
def terminal(module: str, *arguments: str) -> Generator[Screen]:
    """A program of Python at a terminal, which is closed in the end."""
    child: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-m", module, *arguments],
        encoding="utf-8",
        dimensions=(LINES, COLUMNS),
        env={**os.environ, "TERM": "xterm-256color"},
    )
    try:
        yield Screen(child)
    finally:
        child.close(force=True)


def test_what_is_pending_when_the_kernel_dies_is_answered_and_the_heart_stops(
    manager: KernelManager, client: BlockingKernelClient
) -> None:
    client.execute("import os; os._exit(3)")
    reply = client.get_shell_msg(timeout=60)
    while client.hb_channel.is_beating():
        client.hb_channel.join(0.01)

    assert (reply["content"]["status"], reply["content"]["ename"]) == ("error", "KernelDiedError")
    assert "exit code 3" in reply["content"]["evalue"]
    assert not manager.is_alive()


def test_the_process_that_stands_in_for_a_kernel_relays_to_it(start: Start, tmp_path: Path) -> None:
    directory = tmp_path / "kernels" / "stand-in"
    directory.mkdir(parents=True)
    stand_in = [sys.executable, "-m", "kernel_mgmt.jupyter.stand_in"]
    spec = {
        "argv": [*stand_in, "elsewhere/python", "-f", "{connection_file}"],
        "display_name": "Stand-in",
        "language": "python",
    }
    (directory / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(tmp_path))
        manager, client = start("stand-in")
        manager.restart_kernel()
        client.wait_for_ready(timeout=60)
        outputs = outputs_of(client, "import os; print(os.environ['KERNEL_MGMT_KERNEL_ID'])")
        kernel_id = outputs[-1]["content"]["text"].strip()
        client.execute("os._exit(3)")
        reply = client.get_shell_msg(timeout=60)
        manager.shutdown_kernel()

    assert reply["content"]["ename"] == "KernelDiedError"
    assert processes_with("KERNEL_MGMT_KERNEL_ID", kernel_id) == {}


def test_over_tcp_the_relay_listens_on_while_the_kernel_is_restarted() -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(5)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        free = [each.getsockname()[1] for each in sockets]
    names = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
    ports = dict(zip(names, free, strict=True))
    manager = KernelManager(kernel_name="elsewhere", **ports)
    manager.start_kernel()
    try:
        with client_of(manager) as client:
            outputs_of(client, "a = 1")
            manager.restart_kernel()
            client.wait_for_ready(timeout=60)
            outputs = outputs_of(client, "a")
        listens = {name: getattr(manager, name) for name in names}
    finally:
        manager.shutdown_kernel(now=True)

    assert outputs[-1]["content"]["ename"] == "NameError"
    assert listens == ports
