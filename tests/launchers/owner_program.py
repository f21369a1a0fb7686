"""A program that launches kernels, to be killed: it does what it is told on its stdin.

Each line is some Python as a JSON string. It is answered by a line of JSON, the value of ``answer``
after it has run.
"""

from __future__ import annotations

import json
import sys
from code import InteractiveInterpreter
from typing import Any

import anyio

from kernel_mgmt.client import KernelClient
from kernel_mgmt.types import LaunchOptions
from kernel_mgmt_subprocess import (
    KernelManager,
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
)
from kernel_mgmt_subprocess._guardian import this_guardian

BACKEND, RUNTIME_DIR = sys.argv[1:3]
managers: list[KernelManager] = []


def launch(*commands: list[str], transport: str = "tcp", **options: Any) -> list[int]:
    """Launch kernels, and return their pids when they have answered."""
    launched: list[KernelManager] = []

    async def launch_all() -> None:
        async with anyio.create_task_group() as tasks:
            for argv in commands:
                tasks.start_soon(launch_one, argv)

    async def launch_one(argv: list[str]) -> None:
        launcher = launcher_class(argv, options=LaunchOptions(**options), runtime_dir=RUNTIME_DIR)
        if transport == "ipc" and "xpython_launcher" in argv:
            launcher.socket_path_limit = 25
        connection_info, manager = await launcher.launch()
        launched.append(manager)
        async with KernelClient(connection_info, manager) as client:
            await client.wait_for_ready(60)

    launcher_class: Any = (
        SubprocessIPCKernelLauncher if transport == "ipc" else SubprocessKernelLauncher
    )
    anyio.run(launch_all, backend=BACKEND)
    managers.extend(launched)
    return [manager.pid for manager in launched]


def launch_script(script: str, **options: Any) -> KernelManager:
    """Launch a script that talks to nobody as a kernel."""
    argv = [sys.executable, "-S", "-c", script]
    launcher = SubprocessKernelLauncher(
        argv, options=LaunchOptions(**options), runtime_dir=RUNTIME_DIR
    )
    manager = anyio.run(launcher.launch, backend=BACKEND)[1]
    managers.append(manager)
    return manager


def end(manager: KernelManager) -> None:
    """End a kernel, and clean up after it."""

    async def end() -> None:
        await manager.kill()
        await manager.cleanup()

    anyio.run(end, backend=BACKEND)


def guardian() -> int | None:
    """The process id of the guardian."""
    return this_guardian().pid


def main() -> None:
    for line in sys.stdin:
        scope: dict[str, Any] = {**globals(), "answer": None}
        InteractiveInterpreter(scope).runcode(compile(json.loads(line), "told", "exec"))
        print(json.dumps(scope["answer"]), flush=True)


if __name__ == "__main__":
    main()
