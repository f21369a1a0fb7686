"""What kernels leave behind: files in the runtime directory, and processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

KERNEL_ID_VARIABLE = "KERNEL_MGMT_KERNEL_ID"
_KERNEL_ID_ENTRY = f"{KERNEL_ID_VARIABLE}=".encode()
_STRONGEST_SIGNAL = signal.SIGTERM if os.name == "nt" else signal.SIGKILL


class Leftovers:
    """Finds what the kernels of one test have left.

    Processes are found by what is in their environment, where there is a ``/proc``.

    :param runtime_dir: the runtime directory of the test
    :param mark: an environment variable, as ``NAME=value``, that its processes inherit
    :param patience: how long the last of it may take to vanish, in seconds
    """

    def __init__(self, runtime_dir: Path, mark: str, patience: float) -> None:
        self._runtime_dir = runtime_dir
        self._mark = mark
        self._patience = patience

    def find(self, kernel_id: str | None = None) -> list[str]:
        """Describe each file and process that is there.

        :param kernel_id: the id of a kernel whose processes may lack the mark
        """
        files = [f"the file {path}" for path in sorted(self._runtime_dir.rglob("*"))]
        processes = (f"the process {pid}: {_command(pid)}" for pid in self._processes(kernel_id))
        return [*files, *processes]

    def wait(self, kernel_id: str | None = None) -> list[str]:
        """Block until nothing is left, or patience is at its end, and describe what is left.

        :param kernel_id: the id of a kernel whose processes may lack the mark
        """
        deadline = time.monotonic() + self._patience
        while (found := self.find(kernel_id)) and time.monotonic() < deadline:
            time.sleep(0.005)
        return found

    def kill(self) -> None:
        """End the processes that are left: kernels for sure, others if SIGTERM ends them.

        A guardian of kernels that is told no signal has to stay. Another would take its place in
        the next test, which would be found to have left it.
        """
        for pid, environment in self._marked(self._mark.encode()):
            is_kernel = any(entry.startswith(_KERNEL_ID_ENTRY) for entry in environment)
            with suppress(OSError):
                os.kill(pid, _STRONGEST_SIGNAL if is_kernel else signal.SIGTERM)

    def _processes(self, kernel_id: str | None) -> Iterator[int]:
        marks = [self._mark.encode()]
        if kernel_id is not None:
            marks.append(_KERNEL_ID_ENTRY + kernel_id.encode())
        return (pid for pid, _ in self._marked(*marks))

    def _marked(self, *marks: bytes) -> Iterator[tuple[int, list[bytes]]]:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
            except OSError:  # it has ended, or is somebody else's
                continue
            if not set(marks).isdisjoint(environment):
                yield int(process.name), environment


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ").strip()
    except OSError:
        return "it has just ended"
