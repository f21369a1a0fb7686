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


# Its kernels listen where they want, and speak CURVE.
ELSEWHERE = """
import sys
from dataclasses import replace

from kernel_mgmt import KernelProviderBase, LaunchOptionError, LaunchOptions
from kernel_mgmt_subprocess import SubprocessKernelLauncher


class Provider(KernelProviderBase):
    id = "elsewhere"

    def find_kernels(self):
        yield "python", {"language": "python"}

    async def launch(self, name, cwd=None, launch_params=None, *, options=None):
        options = options or LaunchOptions()
        if options.connection_info is not None:
            raise LaunchOptionError("connection_info", "it listens elsewhere")
        options = replace(options, transport="tcp", encryption="required")
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return await SubprocessKernelLauncher(argv, cwd, options=options).launch()
"""


def install_elsewhere(
    directory: Path, monkeypatch: pytest.MonkeyPatch, source: str = ELSEWHERE
) -> None:
    """Install the provider ``elsewhere`` for this process and those that it starts."""
    metadata = directory / "elsewhere_kernels-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: elsewhere-kernels\nVersion: 1\n", encoding="utf-8"
    )
    (metadata / "entry_points.txt").write_text(
        "[kernel_mgmt.kernel_type_providers]\nelsewhere = elsewhere_kernels:Provider\n",
        encoding="utf-8",
    )
    (directory / "elsewhere_kernels.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(directory), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(directory))


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
