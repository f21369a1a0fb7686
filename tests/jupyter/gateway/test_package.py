"""The gateway classes come when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kernel_mgmt.jupyter.gateway


def test_importing_the_package_loads_no_program_of_jupyter() -> None:
    code = (
        "import sys, kernel_mgmt.jupyter.gateway;"
        "heavy = {'jupyter_client', 'jupyter_server', 'traitlets', 'tornado', 'anyio', 'httpx2'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stdout.strip() == "[]"


def test_the_names_are_sorted_and_each_is_there() -> None:
    names = kernel_mgmt.jupyter.gateway.__all__

    assert list(names) == sorted(names)
    assert all(getattr(kernel_mgmt.jupyter.gateway, name) is not None for name in names)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = kernel_mgmt.jupyter.gateway.nonsense
