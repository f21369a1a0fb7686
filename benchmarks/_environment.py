"""The environment of a run: private Jupyter directories and kernelspecs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

KERNEL = "benchmark"


@contextmanager
def private_environment() -> Generator[tuple[Path, dict[str, str]]]:
    """Make a directory, and an environment that has Jupyter and IPython keep to it.

    The kernelspec ``benchmark`` is in it: ipykernel on the running interpreter.
    """
    # A short path: that of an ipc socket must fit in 107 bytes.
    with TemporaryDirectory(prefix="kmb-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        variables = {
            "IPYTHONDIR": "ipython",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
        }
        for folder in variables.values():
            (directory / folder).mkdir(mode=0o700)
        write_kernelspec(directory / "data" / "kernels" / KERNEL)
        places = {variable: str(directory / folder) for variable, folder in variables.items()}
        yield directory, {**os.environ, **places}


def runtime_directory() -> Path:
    """Return where the connection files of this run are."""
    return Path(os.environ["JUPYTER_RUNTIME_DIR"])


def kernel_argv(connection_file: Path) -> list[str]:
    """Return the command of the kernel that is started in every benchmark."""
    return [sys.executable, "-m", "ipykernel_launcher", "-f", str(connection_file)]


def write_kernelspec(directory: Path, display_name: str = "Benchmark") -> None:
    """Write the ``kernel.json`` of an ordinary ipykernel."""
    spec = {
        "argv": kernel_argv(Path("{connection_file}")),
        "display_name": display_name,
        "language": "python",
        "metadata": {"debugger": True},
        "kernel_protocol_version": "5.5",
    }
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "kernel.json").write_text(json.dumps(spec, indent=1), encoding="utf-8")


def write_kernelspecs(directory: Path, count: int) -> None:
    """Write ``count`` kernelspecs under ``directory``, named ``kernel-0`` and so on."""
    for number in range(count):
        write_kernelspec(directory / f"kernel-{number}", f"Kernel {number}")
