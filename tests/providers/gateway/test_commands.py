"""The commands at work on the kernels of a gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from .conftest import Server
from .rest_server import Fault, rest_server

PROGRAM = Path(sys.executable).with_name("kernel-mgmt")


def test_a_kernel_of_a_gateway_is_used_by_the_commands_as_any_other(
    jupyter_server: Server, tmp_path: Path
) -> None:
    before = jupyter_server.ask("GET", "/kernels")
    variables = {
        "JUPYTER_GATEWAY_URL": jupyter_server.url,
        "JUPYTER_GATEWAY_AUTH_TOKEN": jupyter_server.token,
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
    }

    def run(*arguments: str, status: int = 0) -> str:
        result = subprocess.run(
            [PROGRAM, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, **variables},
        )
        assert result.returncode == status, result.stderr
        return result.stderr if status else result.stdout

    started = json.loads(run("start", "-d", "gateway/python3", "--name", "lab", "-o", "json"))
    run("exec", "lab", "x = 6")
    (shown,) = json.loads(run("ps", "-o", "json"))["kernels"]
    complaint = run("logs", "lab", status=1)
    product = run("exec", "lab", "x * 7")
    run("restart", "lab")
    names = run("exec", "lab", "'x' in globals()")
    ended = run("stop", "lab")

    assert started["kernel"] == "gateway/python3"
    assert (shown["id"], shown["state"], shown["pid"]) == (started["id"], "idle", None)
    assert (product, names) == ("42\n", "False\n")
    assert f"What the kernel lab has written is kept by {jupyter_server.url}" in complaint
    assert ended == "lab: ended at its request\n"
    assert list(tmp_path.iterdir()) == []
    assert jupyter_server.ask("GET", "/kernels") == before


def test_a_gateway_that_is_not_there_is_named_by_a_listing(tmp_path: Path) -> None:
    listed = subprocess.run(
        [PROGRAM, "list"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "JUPYTER_GATEWAY_URL": "http://127.0.0.1:9"},
    )

    assert "The gateway http://127.0.0.1:9 is not there: nothing listens" in listed.stderr
    assert "pyimport/kernel" in listed.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="elsewhere: Windows has no pseudoterminals")
def test_a_launch_shows_what_it_waits_for(tmp_path: Path) -> None:
    from tests.cli.screen import terminal

    with rest_server() as gateway:
        gateway.faults = [Fault("POST", status=403, until=(seen := threading.Event()))]
        variables = {"JUPYTER_GATEWAY_URL": gateway.url, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
        arguments = ("run", "gateway/python3", "-c", "1")
        with terminal(PROGRAM, *arguments, cwd=tmp_path, **variables) as screen:
            screen.see("Starting gateway/python3: asking the gateway localhost")
            seen.set()
            screen.end()

    assert "asking" not in screen.text
    assert "403" in screen.text
