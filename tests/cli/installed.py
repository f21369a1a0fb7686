"""Kernelspecs and providers for a command that runs in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

PROVIDER = """
    from kernel_mgmt.abc import KernelProviderBase

    class Provider(KernelProviderBase):
        id = "oblong"

        async def launch(self, name, cwd=None, launch_params=None):
            return {"transport": "tcp"}, None
"""


def write_kernelspec(data_dir: Path, kernel_name: str, **content: Any) -> Path:
    """Write a kernelspec below a directory that ``JUPYTER_PATH`` may name."""
    folder = data_dir / "kernels" / kernel_name
    folder.mkdir(parents=True)
    spec = {"argv": ["prog"], "display_name": "A kernel", "language": "lang"} | content
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return folder


def install_provider(directory: Path, methods: str) -> dict[str, str]:
    """Install a provider with the id ``oblong``; its ``find_kernels`` is for the methods to bring.

    :return: the environment in which it is found
    """
    metadata = directory / "oblong_kernels-1.5.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: oblong-kernels\nVersion: 1.5\n", encoding="utf-8"
    )
    (metadata / "entry_points.txt").write_text(
        "[kernel_mgmt.kernel_type_providers]\noblong = oblong_kernels:Provider\n", encoding="utf-8"
    )
    source = dedent(PROVIDER) + "".join(f"    {line}\n" for line in dedent(methods).splitlines())
    (directory / "oblong_kernels.py").write_text(source, encoding="utf-8")
    return {"PYTHONPATH": str(directory)}
