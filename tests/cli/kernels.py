"""Kernels that stay, in a runtime directory that no other test sees."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kernel_mgmt import BlockingKernelClient
from kernel_mgmt.records import KernelRecord, find_records
from kernel_mgmt.testing import fake_kernel_argv

from .conftest import PROGRAM, run_in_this_process

_SCHEMA = {"properties": {"level": {"type": "integer"}}, "required": ["level"]}


class Kernels:
    """Runs ``kernel-mgmt`` for the kernels of one runtime directory.

    There are the kernelspecs ``fake``, ``stubborn``, which ends by SIGKILL only, ``by-message``,
    which is interrupted so, ``slow``, which takes a minute to start, and ``levels``, which has the launch parameter ``level``.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.runtime_dir = directory / "runtime"
        self.runtime_dir.mkdir(mode=0o700)
        self._variables = {
            "JUPYTER_RUNTIME_DIR": str(self.runtime_dir),
            "JUPYTER_PATH": str(directory / "jupyter"),
        }
        self.env = {**os.environ, **self._variables}
        self._install("fake")
        self._install("stubborn", "--ignore-shutdown", "--ignore-sigterm")
        self._install("by-message", interrupt_mode="message")
        self._install("slow", "--slow-start", "60")
        self._install("levels", env={"LEVEL": "{level}"}, metadata={"parameters": _SCHEMA})

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end: in this process, unless it would own a kernel."""
        if arguments[0] not in {"start", "restart", "run"}:
            return run_in_this_process(arguments, self.directory, self._variables)
        with self.begun(*arguments) as process:
            stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, stdout, stderr)

    @contextmanager
    def begun(self, *arguments: str) -> Generator[subprocess.Popen[str]]:
        """Run a command as long as the block, or as it takes."""
        with subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self.env,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def start(self, *arguments: str) -> str:
        """Start a kernel that stays, and return its id."""
        result = self.run("start", "--detach", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def listed(self, *arguments: str) -> dict[str, dict[str, Any]]:
        """What ``ps`` tells of each kernel, by its id."""
        listed = json.loads(self.run("ps", "-o", "json", *arguments).stdout)
        return {kernel["id"]: kernel for kernel in listed["kernels"]}

    def record(self, kernel_id: str) -> KernelRecord:
        """The record of a kernel."""
        return next(record for record in self.records() if record.kernel_id == kernel_id)

    def client(self, kernel_id: str) -> BlockingKernelClient:
        """A client of a kernel that another program has started."""
        client = BlockingKernelClient.from_connection_file(self.record(kernel_id).connection_file)
        client.wait_for_ready(60)
        return client

    def records(self) -> tuple[KernelRecord, ...]:
        """The records of all kernels."""
        return find_records(self.runtime_dir).records

    def files_of(self, kernel_id: str) -> list[str]:
        """What the runtime directory has of a kernel."""
        return [name for name in os.listdir(self.runtime_dir) if kernel_id in name]

    def _install(self, name: str, *switches: str, **spec: object) -> None:
        folder = self.directory / "jupyter" / "kernels" / name
        folder.mkdir(parents=True)
        argv = fake_kernel_argv(*switches)
        content = {"argv": argv, "display_name": name, "language": "fake", **spec}
        (folder / "kernel.json").write_text(json.dumps(content))
