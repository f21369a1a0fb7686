"""The suite that kernels are tested with, over the classic interface and over jupyter_client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kernel_mgmt import KernelFinder
from kernel_mgmt.classic import start_new_kernel
from kernel_mgmt_spec import KernelSpecProvider
from tests.client.test_kernel_oracle import (
    SAMPLES,
    failures_of,
    failures_over_jupyter_client,
    kernels,
    make_case,
)

__all__ = ("kernels",)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_test_of_a_kernel_fails_that_does_not_fail_over_jupyter_client(
    name: str,
    kernels: Path,
    runtime_dir: Path,
) -> None:
    case = make_case(name)
    finder = KernelFinder([KernelSpecProvider(search_path=[str(kernels)])])

    def set_up(cls: Any) -> None:
        cls.km, cls.kc = start_new_kernel(kernel_name=name.lower(), kernel_finder=finder)

    case.setUpClass = classmethod(set_up)
    failed, passed = failures_of(case)

    assert failed - failures_over_jupyter_client(name) == set()
    assert passed >= 5
