"""nbclient, as it is, with our classes in its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat.v4
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from tests.conftest import left_behind


def executed(*cells: str, manager: str, kernel_name: str = "python3") -> list[Any]:
    """Run a notebook, and return the outputs of its last cell."""
    # Its functions have no types.
    make: Any = nbformat.v4
    notebook = make.new_notebook(cells=[make.new_code_cell(cell) for cell in cells])
    client: Any = NotebookClient(
        notebook, kernel_manager_class=f"kernel_mgmt.jupyter.{manager}", kernel_name=kernel_name
    )
    client.execute()
    outputs: list[Any] = notebook.cells[-1].outputs
    return outputs


@pytest.mark.parametrize("manager", ["AsyncKernelManager", "KernelManager"])
def test_a_notebook_is_executed(
    manager: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    [output] = executed("x = 6", "x * 7", manager=manager, kernel_name="pyimport/kernel")

    assert output.data["text/plain"] == "42"
    assert left_behind(tmp_path / "runtime") == []


def test_an_error_in_a_cell_is_told() -> None:
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed("1 / 0", manager="AsyncKernelManager")


def test_the_end_of_the_kernel_is_told() -> None:
    with pytest.raises(DeadKernelError):
        executed("import os; os._exit(3)", manager="AsyncKernelManager")
