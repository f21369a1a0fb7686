"""The provider of kernelspecs, and its managers, keep the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from kernel_mgmt.testing import ManagerSuite, ProviderSuite, fake_kernel_argv
from kernel_mgmt_spec import KernelSpecProvider

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


class TestSpecProvider(ProviderSuite, ManagerSuite):
    argv: ClassVar[list[str]] = fake_kernel_argv()
    code = "print hello"
    long_code = "print begun\nsleep 60"

    @pytest.fixture
    def provider(self, tmp_path: Path) -> KernelSpecProvider:
        for name in ("first", "Second"):
            spec = {"argv": self.argv, "display_name": name, "language": "any"}
            (tmp_path / name).mkdir()
            (tmp_path / name / "kernel.json").write_text(json.dumps(spec))
        return KernelSpecProvider([tmp_path])


class TestSpecProviderOfIPykernel(TestSpecProvider):
    argv = IPYKERNEL
    code = "print('hello')"
    long_code = "import time; print('begun', flush=True); time.sleep(60)"
