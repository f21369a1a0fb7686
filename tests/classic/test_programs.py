"""Programs written for jupyter_client run with the import changed, and print the same."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import MINE

IMPORT = re.compile(r"^from jupyter_client[.\w]* import", re.MULTILINE)

PROGRAMS = {
    "a new kernel that is used interactively": """
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python", extra_arguments=["--quiet"])
try:
    reply = client.execute_interactive("print('hello')\\nx = 6 * 7", timeout=60)
    print(reply["content"]["status"], reply["content"]["execution_count"])
    reply = client.execute_interactive(
        "x + 1",
        output_hook=lambda message: print(message["msg_type"], message["content"].get("data")),
        timeout=60,
    )
    print(client.is_alive(), manager.is_alive(), manager.has_kernel)
finally:
    client.stop_channels()
    manager.shutdown_kernel()
print(manager.is_alive(), manager.has_kernel)
""",
    "a kernel for a block": """
from jupyter_client import run_kernel

with run_kernel(kernel_name="python3") as client:
    reply = client.execute("1 / 0", reply=True, timeout=60)
    print(reply["msg_type"], reply["content"]["status"], reply["content"]["ename"])
""",
    "messages fetched one by one": """
from queue import Empty
from jupyter_client import KernelManager

manager = KernelManager(kernel_name="python3")
manager.start_kernel()
client = manager.client()
client.start_channels()
try:
    client.wait_for_ready(timeout=60)
    print(client.channels_running)
except RuntimeError:
    client.stop_channels()
    manager.shutdown_kernel()
    raise

msg_id = client.execute("print('a')\\n6 * 7")
while True:
    try:
        message = client.get_iopub_msg(timeout=60)
    except Empty:
        print("nothing")
        break
    if message["parent_header"].get("msg_id") != msg_id:
        continue
    content = message["content"]
    kind = message["header"]["msg_type"]
    print(kind, content.get("execution_state"), content.get("text"), content.get("data"))
    if kind == "status" and content["execution_state"] == "idle":
        break
reply = client.get_shell_msg(timeout=60)
print(reply["content"]["status"], reply["parent_header"]["msg_id"] == msg_id)
try:
    client.get_shell_msg(timeout=0.01)
except Empty:
    print("empty")
client.stop_channels()
manager.shutdown_kernel(now=True)
""",
    "everything that a kernel can be asked": """
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel()
for msg_id in (client.complete("prin"), client.inspect("print"), client.is_complete("for"),
               client.kernel_info(), client.comm_info(), client.history(hist_access_type="tail", n=1)):
    # Where the machine is slow, jupyter_client leaves replies to `wait_for_ready` behind.
    while (reply := client.get_shell_msg(timeout=60))["parent_header"]["msg_id"] != msg_id:
        pass
    print(reply["msg_type"], reply["content"]["status"])
print(client.complete("prin", reply=True, timeout=60)["content"]["matches"])
reply = client.execute("", user_expressions={"two": "1 + 1"}, reply=True, timeout=60)
print(reply["content"]["user_expressions"]["two"]["data"])
client.shutdown()
print(client.get_control_msg(timeout=60)["msg_type"])
client.stop_channels()
manager.finish_shutdown()
manager.cleanup_resources()
print(manager.is_alive())
""",
    "input": """
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel()
client.allow_stdin = True
msg_id = client.execute("print(input('name? '))")
request = client.get_stdin_msg(timeout=60)
print(request["msg_type"], request["content"]["prompt"])
client.input("me")
print(client.get_shell_msg(timeout=60)["content"]["status"])

def answer(message):
    client.input("you")

client.execute_interactive("print(input('name? '))", stdin_hook=answer, timeout=60)
client.stop_channels()
manager.shutdown_kernel()
""",
    "another client by the connection file": """
from jupyter_client import BlockingKernelClient, KernelManager

manager = KernelManager()
manager.start_kernel()
other = BlockingKernelClient(connection_file=manager.connection_file)
other.load_connection_file()
other.start_channels()
other.wait_for_ready(timeout=60)
print(other.execute("x = 1", reply=True, timeout=60)["content"]["status"])
another = BlockingKernelClient()
another.load_connection_info(manager.get_connection_info())
another.start_channels()
another.wait_for_ready(timeout=60)
another.execute_interactive("print(x)", timeout=60)
another.stop_channels()
other.stop_channels()
manager.shutdown_kernel()
""",
    "restart and interrupt": """
import time
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel()
client.execute_interactive("x = 1; print(x)", timeout=60)
ports, kernel_id = manager.ports, manager.kernel_id
manager.restart_kernel()
client.wait_for_ready(timeout=60)
client.execute_interactive("print('x' in globals())", timeout=60)
print(manager.ports == ports, manager.kernel_id == kernel_id)

msg_id = client.execute("import time; print('go'); time.sleep(60)")
while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
    pass
manager.interrupt_kernel()
while True:
    reply = client.get_shell_msg(timeout=60)
    if reply["parent_header"]["msg_id"] == msg_id:
        break
print(reply["content"]["ename"])
client.stop_channels()
manager.shutdown_kernel()
try:
    manager.interrupt_kernel()
except RuntimeError:
    print("no kernel")
""",
    "asynchronous": """
import asyncio
from jupyter_client.manager import start_new_async_kernel

async def main():
    manager, client = await start_new_async_kernel(kernel_name="python3")
    await client.execute_interactive("print('hello')", timeout=60)
    # An error would abort what is asked right after it.
    reply = await client.execute("1 / 0", stop_on_error=False, reply=True, timeout=60)
    print(reply["content"]["ename"], await client.is_alive(), await manager.is_alive())
    msg_id = client.execute("print('a')")
    while True:
        message = await client.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == msg_id:
            print(message["msg_type"])
            if message["content"].get("execution_state") == "idle":
                break
    client.stop_channels()
    await manager.shutdown_kernel(now=True)
    print(await manager.is_alive())

asyncio.run(main())
""",
    "many kernels": """
import asyncio
from jupyter_client import AsyncMultiKernelManager
from jupyter_client.multikernelmanager import DuplicateKernelError

async def main():
    kernels = AsyncMultiKernelManager()
    first = await kernels.start_kernel(kernel_name="python3")
    second = await kernels.start_kernel(kernel_id="mine")
    print(len(kernels), second, first in kernels, sorted(kernels.list_kernel_ids()) == sorted([first, second]))
    try:
        await kernels.start_kernel(kernel_id="mine")
    except DuplicateKernelError:
        print("duplicate")
    manager = kernels.get_kernel(first)
    client = manager.client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    await client.execute_interactive("print('hello')", timeout=60)
    client.stop_channels()
    print(sorted(kernels.get_connection_info(first)))
    await kernels.restart_kernel(first)
    print(await kernels.is_alive(first))
    await kernels.shutdown_kernel(first)
    print(first in kernels)
    await kernels.shutdown_all(now=True)
    print(len(kernels))
    try:
        kernels.get_kernel(first)
    except KeyError:
        print("unknown")

asyncio.run(main())
""",
    "pending kernels": """
import asyncio
from jupyter_client import AsyncMultiKernelManager

async def main():
    kernels = AsyncMultiKernelManager()
    kernels.use_pending_kernels = True
    kernel_id = await kernels.start_kernel()
    manager = kernels.get_kernel(kernel_id)
    print(manager.ready.done())
    await manager.ready
    print(manager.ready.done(), manager.ready.result(), manager.ready.exception())
    print(await kernels.is_alive(kernel_id))
    await kernels.shutdown_all()
    await manager.ready
    print(len(kernels))

asyncio.run(main())
""",
    "a kernel that dies and is started again": """
import asyncio
import signal
from jupyter_client import AsyncMultiKernelManager

async def main():
    kernels = AsyncMultiKernelManager()
    kernel_id = await kernels.start_kernel()
    restarted = asyncio.Event()
    kernels.add_restart_callback(kernel_id, restarted.set, "restart")
    client = kernels.get_kernel(kernel_id).client()
    client.start_channels()
    await client.wait_for_ready(timeout=60)
    await kernels.signal_kernel(kernel_id, signal.SIGKILL)
    await asyncio.wait_for(restarted.wait(), 60)
    while not await kernels.is_alive(kernel_id):
        await asyncio.sleep(0.01)
    # Not only for the process: jupyter_client cannot end a kernel that it is starting again.
    await kernels.get_kernel(kernel_id).ready
    await client.wait_for_ready(timeout=60)
    print("alive again")
    client.stop_channels()
    await kernels.shutdown_all(now=True)

asyncio.run(main())
""",
    "many kernels, blocking": """
from jupyter_client import MultiKernelManager

kernels = MultiKernelManager(
    kernel_manager_class="jupyter_client.manager.KernelManager"
)
kernel_id = kernels.start_kernel()
client = kernels.get_kernel(kernel_id).client()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute_interactive("print('hello')", timeout=60)
client.stop_channels()
print(kernels.is_alive(kernel_id), len(kernels))
kernels.interrupt_kernel(kernel_id)
kernels.restart_kernel(kernel_id, now=True)
kernels.shutdown_kernel(kernel_id)
print(kernel_id in kernels)
kernels.shutdown_all()
""",
}


def output_of(program: str, directory: Path) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        # The managers of jupyter_client leave connection files where they work.
        cwd=directory,
        env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_the_same_with_the_import_changed(
    name: str, runtime_dir: Path, tmp_path: Path
) -> None:
    theirs = PROGRAMS[name].replace('"mine"', repr(MINE))
    ours = IMPORT.sub("from kernel_mgmt.classic import", theirs)
    ours = ours.replace("jupyter_client.manager.", "kernel_mgmt.classic.")

    assert output_of(ours, tmp_path) == output_of(theirs, tmp_path)
