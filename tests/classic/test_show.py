from __future__ import annotations

import pytest

from kernel_mgmt.types import JSONDict

from .conftest import StartBlocking

CODE = """
from kernel_mgmt.classic import BlockingKernelClient
client = BlockingKernelClient()
client.load_connection_info({info!r})
client.wait_for_ready(30)
reply = client.execute_interactive("print a\\ndisplay 1 5", timeout=30)
client.stop_channels()
"""


def test_output_is_displayed_in_a_notebook(start_blocking: StartBlocking) -> None:
    inner, notebook = start_blocking(), start_blocking(ipykernel=True)

    shown: list[JSONDict] = []
    notebook.execute_interactive(
        CODE.format(info=inner.get_connection_info()), output_hook=shown.append, timeout=60
    )
    outputs = {
        message["msg_type"]: message["content"]
        for message in shown
        if message["msg_type"] in ("stream", "display_data", "error")
    }

    assert outputs["stream"]["text"].startswith("a")
    assert outputs["display_data"]["data"]["text/plain"] == "x" * 5


def test_output_is_printed_elsewhere(
    start_blocking: StartBlocking, capsys: pytest.CaptureFixture[str]
) -> None:
    client = start_blocking()

    client.execute_interactive("print a\ndisplay 1 5", timeout=30)

    assert capsys.readouterr().out == "a\nxxxxx\n"
