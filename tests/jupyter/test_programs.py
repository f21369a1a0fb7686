"""Jupyter's programs, as they are, run our kernels by each way in that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.screen import CTRL_C, CTRL_D, ENTER, terminal

from .place import PROGRAMS, Place

OURS = {"JUPYTER_DEFAULT_PROVISIONER_NAME": "kernel-mgmt"}
# A kernel that nothing of ours has launched has no such variable.
PYTHON = "import os\nprint(6 * 7, os.environ['KERNEL_MGMT_KERNEL_ID'])"
OUR_CLASS = "kernel_mgmt.jupyter.AsyncKernelManager"
OUR_CLASS_FOR_CONSOLES = (
    "--JupyterConsoleApp.kernel_manager_class=kernel_mgmt.jupyter.KernelManager"
)
R = "cat(6 * 7, Sys.getenv('KERNEL_MGMT_KERNEL_ID'))"
ANSWER = re.compile(r"42 [0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the kernel types of other providers than ``spec`` are exported."""
    place = Place(tmp_path_factory.mktemp("programs"))
    place.run("kernel-mgmt", "export", "--all")
    return place


@pytest.fixture
def place(shared_place: Place) -> Iterator[Place]:
    """Where a program has left nothing when the test is over."""
    yield shared_place

    assert shared_place.left_behind() == []


def write_notebook(place: Place, *cells: str, tags: tuple[str, ...] = ()) -> Path:
    """Write the notebook ``given.ipynb``; the first of the cells has the tags.

    One goes before them, since what a kernel says before all sockets are connected is heard by nobody.
    """
    written = [_code_cell(source) for source in ("1", *cells)]
    written[1]["metadata"] = {"tags": tags}
    metadata = {"language_info": {"name": "python"}}
    notebook = {"cells": written, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    path = place.work / "given.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def _code_cell(source: str) -> dict[str, Any]:
    empty: dict[str, Any] = {"execution_count": None, "metadata": {}, "outputs": []}
    return {"cell_type": "code", "source": source, **empty}


def printed(path: Path) -> str:
    """What the cells of a notebook have printed."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = [output.get("text", ()) for cell in cells for output in cell["outputs"]]
    return "".join("".join(text) for text in texts)


def test_nbclient_runs_an_exported_kernel(place: Place) -> None:
    path = write_notebook(place, PYTHON)
    script = f"""
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read({str(path)!r}, as_version=4)
NotebookClient(notebook, kernel_name="pyimport.kernel", timeout=60).execute()
print(notebook.cells[-1].outputs[0].text)
"""
    output = place.run("python", "-c", script)

    assert ANSWER.search(output)


def test_jupyter_execute_runs_a_kernelspec_through_its_provider(place: Place) -> None:
    path = write_notebook(place, R)

    place.run("jupyter", "execute", "--kernel_name=ir", "--inplace", str(path), **OURS)

    assert ANSWER.search(printed(path))


def test_papermill_gives_parameters_to_an_exported_kernel(place: Place) -> None:
    path = write_notebook(place, "factor = 1", PYTHON.replace("7", "factor"), tags=("parameters",))
    result = place.work / "result.ipynb"

    arguments = ["-k", "pyimport.kernel", "-p", "factor", "7", "--no-progress-bar"]
    place.run("papermill", str(path), str(result), *arguments)

    assert ANSWER.search(printed(result))


def test_nbconvert_executes_a_kernelspec_through_its_provider(place: Place) -> None:
    path = write_notebook(place, PYTHON)

    arguments = ["--execute", "--ExecutePreprocessor.kernel_name=python3", "--to=markdown"]
    output = place.run("jupyter", "nbconvert", *arguments, "--stdout", str(path), **OURS)

    assert ANSWER.search(output)


def test_jupyter_run_runs_a_script_in_an_exported_kernel(place: Place) -> None:
    script = place.work / "script.py"
    script.write_text(PYTHON, encoding="utf-8")

    output = place.run("jupyter", "run", "--kernel=pyimport.kernel", str(script))

    assert ANSWER.search(output)


def test_papermill_gives_parameters_to_a_kernel_of_our_manager(place: Place) -> None:
    path = write_notebook(place, "factor = 1", PYTHON.replace("7", "factor"), tags=("parameters",))
    script = f"""
from papermill import execute_notebook

execute_notebook({str(path)!r}, "result.ipynb", {{"factor": 7}}, kernel_name="pyimport/kernel",
                 kernel_manager_class={OUR_CLASS!r}, progress_bar=False)
"""
    place.run("python", "-c", script)

    assert ANSWER.search(printed(place.work / "result.ipynb"))


def test_nbconvert_executes_a_kernel_of_our_manager(place: Place) -> None:
    path = write_notebook(place, PYTHON)

    arguments = ["--execute", f"--ExecutePreprocessor.kernel_manager_class={OUR_CLASS}"]
    arguments += ["--ExecutePreprocessor.kernel_name=python3", "--to=markdown", "--stdout"]
    output = place.run("jupyter", "nbconvert", *arguments, str(path))

    assert ANSWER.search(output)


def test_jupyter_run_runs_a_script_in_a_kernel_of_our_manager(place: Place) -> None:
    script = place.work / "script.py"
    script.write_text(PYTHON, encoding="utf-8")

    output = place.run("jupyter", "run", OUR_CLASS_FOR_CONSOLES, "--kernel=python3", str(script))

    assert ANSWER.search(output)


CONSOLES = {
    "an exported kernel": ["--kernel=pyimport.kernel"],
    "a kernel of our manager": [OUR_CLASS_FOR_CONSOLES, "--kernel=python3"],
}


@pytest.mark.parametrize("arguments", CONSOLES.values(), ids=CONSOLES)
def test_jupyter_console_talks_to(place: Place, arguments: list[str]) -> None:
    program = PROGRAMS / "jupyter-console"
    with terminal(program, *arguments, cwd=place.work, **place.env) as screen:
        screen.see("In [1]:")
        screen.type("import os, time", ENTER)
        screen.see("In [2]:")
        screen.type("print(6 * 7, os.environ['KERNEL_MGMT_KERNEL_ID'])", ENTER)
        shown = screen.see("In [3]:")
        screen.type("while not print('.', end='', flush=True): time.sleep(0.1)", ENTER)
        screen.see("...")
        screen.type(CTRL_C)
        interrupted = screen.see("In [4]:")
        screen.type(CTRL_D)
        screen.see("exit")
        screen.type("y", ENTER)
        status = screen.end()

    assert ANSWER.search(shown)
    assert "KeyboardInterrupt" in interrupted
    assert status == 0
