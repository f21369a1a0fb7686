"""A program that launches kernels, as the tests see it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

PROGRAM = Path(__file__).with_name("owner_program.py")


class Owner:
    """A program that launches kernels as it is told.

    :param wrapper: the beginning of its argv, if it is to be run by another program
    """

    def __init__(self, backend: str, runtime_dir: Path, wrapper: Sequence[str] = ()) -> None:
        argv = [*wrapper, sys.executable, str(PROGRAM), backend, str(runtime_dir)]
        self.popen = Popen(argv, stdin=PIPE, stdout=PIPE, text=True, start_new_session=True)

    def tell(self, code: str) -> None:
        """Have some Python run there."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(code) + "\n")
        self.popen.stdin.flush()

    def hear(self) -> Any:
        """Return the value of ``answer`` after it has run."""
        assert self.popen.stdout is not None
        return json.loads(self.popen.stdout.readline())

    def do(self, code: str) -> Any:
        """Have some Python run there, and return the value of ``answer`` after it has."""
        self.tell(code)
        return self.hear()

    def launch(self, *commands: list[str], **options: Any) -> list[int]:
        """Launch kernels there, and return their pids when they have answered."""
        pids: list[int] = self.do(f"answer = launch(*{commands!r}, **{options!r})")
        return pids

    def launch_script(self, script: str, **options: Any) -> int:
        """Launch a script there as a kernel, and return its pid."""
        pid: int = self.do(f"answer = launch_script({script!r}, **{options!r}).pid")
        return pid

    @property
    def guardian(self) -> int:
        """The process id of the guardian there."""
        pid: int = self.do("answer = guardian()")
        return pid

    def kill(self) -> None:
        """End the program as nothing can prevent."""
        self.popen.kill()
        self.popen.wait()

    def close(self) -> None:
        """End the program if it runs."""
        with self.popen:
            self.popen.kill()
