"""Where Jupyter's programs run in the tests: in directories of their own, as they were installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import left_behind

PROGRAMS = Path(sys.executable).parent


class Place:
    """Directories for Jupyter's programs, below one; none of the user's is seen.

    :ivar env: the environment in which they are used
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime_dir = root / "runtime"
        self.work = root / "work"
        self.work.mkdir()
        variables = {
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
        }
        self.env = {**os.environ, **{name: str(root / each) for name, each in variables.items()}}
        for name in ("JUPYTER_PATH", "KERNEL_MGMT_KERNEL_ID"):
            self.env.pop(name, None)

    def run(self, program: str, *arguments: str, **env: str) -> str:
        """Run a program to its end, which must be a good one, and return what it prints."""
        result = subprocess.run(
            [PROGRAMS / program, *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=self.work,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    def left_behind(self) -> list[str]:
        """What the programs have left in the runtime directory, and their processes."""
        return left_behind(self.runtime_dir)
