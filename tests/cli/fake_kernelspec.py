"""Kernelspecs of fake kernels, for the command to find."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kernel_mgmt.testing import fake_kernel_argv


def write_fake_kernelspec(directory: Path, *switches: str, name: str = "fake", **more: Any) -> str:
    """Write the kernelspec of a fake kernel with some switches.

    :param more: what else is in the kernelspec, or what is there instead
    :return: what ``JUPYTER_PATH`` is to be
    """
    argv = fake_kernel_argv(*switches)
    content = {"argv": argv, "display_name": "Fake", "language": "fake", **more}
    folder = directory / "jupyter" / "kernels" / name
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(content), encoding="utf-8")
    return str(directory / "jupyter")
