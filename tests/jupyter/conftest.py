"""Kernelspecs that stand for kernel types, and jupyter_client to start them with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

MakeSpec: TypeAlias = Callable[..., Path]
Start: TypeAlias = Callable[..., tuple[KernelManager, BlockingKernelClient]]


def outputs_of(client: BlockingKernelClient, code: str) -> list[dict[str, Any]]:
    """What the kernel publishes for the code, without the states."""
    outputs: list[dict[str, Any]] = []
    client.execute_interactive(code, output_hook=outputs.append, timeout=60)
    return [message for message in outputs if message["msg_type"] != "status"]


@pytest.fixture
def make_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSpec:
    """Writes kernelspecs where Jupyter's programs look first."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))

    def write(name: str, **content: Any) -> Path:
        directory = tmp_path / "share" / "kernels" / name
        directory.mkdir(parents=True)
        spec = {"display_name": name, "language": "python", **content}
        (directory / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        return directory

    return write


@pytest.fixture
def stand_in(make_spec: MakeSpec) -> Callable[..., str]:
    """Writes the kernelspec ``stand-in`` for a kernel type, and returns its name."""

    def write(kernel_type: str, *arguments: str) -> str:
        module = "kernel_mgmt.jupyter.stand_in"
        argv = [sys.executable, "-m", module, kernel_type, "-f", "{connection_file}"]
        make_spec("stand-in", argv=[*argv, *arguments])
        return "stand-in"

    return write


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a kernelspec as Jupyter's programs do, and waits until it is ready."""
    started: list[tuple[KernelManager, BlockingKernelClient]] = []

    def start_kernel(name: str, **keywords: Any) -> tuple[KernelManager, BlockingKernelClient]:
        manager = KernelManager(kernel_name=name, **keywords)
        manager.start_kernel()
        client: BlockingKernelClient = manager.client()
        started.append((manager, client))
        client.start_channels()
        client.wait_for_ready(timeout=60)
        return manager, client

    yield start_kernel
    for manager, client in started:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
