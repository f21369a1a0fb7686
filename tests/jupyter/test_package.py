"""The names of the bridge come when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kernel_mgmt.jupyter


def test_importing_the_bridge_loads_no_program_of_jupyter() -> None:
    code = (
        "import sys, kernel_mgmt.jupyter;"
        "heavy = {'jupyter_client', 'jupyter_server', 'traitlets', 'tornado', 'zmq', 'anyio'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stdout.strip() == "[]"


def test_a_manager_needs_no_server() -> None:
    code = (
        "import sys; from kernel_mgmt.jupyter import AsyncKernelManager, AsyncMultiKernelManager;"
        "print('jupyter_server' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stdout.strip() == "False"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = kernel_mgmt.jupyter.nonsense
