"""The process that stands in for a kernel, as Jupyter's programs use it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.conftest import processes_with

from .conftest import MakeSpec, Start, outputs_of

StandIn = Callable[..., str]


def test_the_kernel_is_the_one_of_the_provider(stand_in: StandIn, start: Start) -> None:
    _, client = start(stand_in("pyimport/kernel"))

    outputs = outputs_of(client, "6 * 7")

    assert outputs[-1]["content"]["data"] == {"text/plain": "42"}


def test_an_interrupt_reaches_the_kernel(stand_in: StandIn, start: Start) -> None:
    manager, client = start(stand_in("pyimport/kernel"))
    outputs_of(client, "import time")
    client.execute("print('busy', flush=True)\ntime.sleep(600)")
    while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass

    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)

    assert reply["content"]["ename"] == "KeyboardInterrupt"


def test_a_kernel_that_cannot_be_interrupted_goes_on(stand_in: StandIn) -> None:
    manager = KernelManager(kernel_name=stand_in("spec/xpython-raw"))
    reading, writing = os.pipe()
    manager.start_kernel(stderr=writing)
    os.close(writing)
    client: BlockingKernelClient = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    manager.interrupt_kernel()
    with open(reading, encoding="utf-8") as stderr:
        told = next(line for line in stderr if "interrupted" in line)
    outputs = outputs_of(client, "6 * 7")
    client.stop_channels()
    manager.shutdown_kernel(now=True)

    assert "cannot be interrupted" in told
    assert outputs[-1]["content"]["data"]["text/plain"] == "42"


def test_arguments_that_are_not_its_own_go_to_the_kernel(stand_in: StandIn, start: Start) -> None:
    name = stand_in("pyimport/kernel", "script.py", "--conn=no abbreviation")
    _, client = start(name)

    outputs = outputs_of(client, "import psutil; print(psutil.Process().cmdline()[-2:])")

    assert outputs[-1]["content"]["text"] == "['script.py', '--conn=no abbreviation']\n"


def test_a_restart_keeps_the_connection(stand_in: StandIn, start: Start) -> None:
    manager, client = start(stand_in("pyimport/kernel"))
    outputs_of(client, "a = 1")

    manager.restart_kernel()
    client.wait_for_ready(timeout=60)
    outputs = outputs_of(client, "a")

    assert outputs[-1]["content"]["ename"] == "NameError"


def test_the_kernel_ends_with_the_process_that_stands_in_for_it(
    stand_in: StandIn, start: Start
) -> None:
    _, client = start(stand_in("pyimport/kernel"))
    outputs = outputs_of(client, "import os; print(os.getpid(), os.getppid())")
    kernel, parent = map(int, outputs[-1]["content"]["text"].split())

    os.kill(parent, signal.SIGKILL)
    with os.fdopen(os.pidfd_open(kernel)) as process:
        ended, _, _ = select.select([process], [], [], 30)

    assert ended


def test_a_kernel_that_is_not_there_tells_so_when_code_is_run(
    stand_in: StandIn, start: Start
) -> None:
    manager, client = start(stand_in("spec/nonsense"))

    outputs = outputs_of(client, "6 * 7")
    manager.shutdown_kernel()

    assert outputs[-1]["msg_type"] == "error"
    assert "no kernel type 'spec/nonsense'" in outputs[-1]["content"]["evalue"]
    assert not manager.is_alive()


def test_a_kernel_that_dies_at_its_start_tells_its_last_words(
    make_spec: MakeSpec, stand_in: StandIn, start: Start
) -> None:
    make_spec("dies", argv=["sh", "-c", "echo the licence has expired; exit 3"])
    _, client = start(stand_in("spec/dies"))

    outputs = outputs_of(client, "6 * 7")

    assert "exit code 3" in outputs[-1]["content"]["evalue"]
    assert "the licence has expired" in outputs[-1]["content"]["evalue"]


def test_nothing_is_left_when_it_is_shut_down(stand_in: StandIn, start: Start) -> None:
    manager, client = start(stand_in("pyimport/kernel"))
    outputs = outputs_of(client, "import os; print(os.environ['KERNEL_MGMT_KERNEL_ID'])")
    kernel_id = outputs[-1]["content"]["text"].strip()

    manager.shutdown_kernel()

    assert processes_with("KERNEL_MGMT_KERNEL_ID", kernel_id) == {}
