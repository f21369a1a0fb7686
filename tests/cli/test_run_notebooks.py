"""The command ``kernel-mgmt run`` with notebooks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kernel_mgmt.cli._notebook import read_notebook
from tests.conftest import left_behind

from .conftest import PROGRAM, Run

PYTHON = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def cell(source: str, *tags: str) -> dict[str, Any]:
    """A cell with an output of an earlier run."""
    old = {"output_type": "stream", "name": "stdout", "text": ["old\n"]}
    return {
        "cell_type": "code",
        "execution_count": 99,
        "metadata": {"tags": list(tags)},
        "outputs": [old],
        "source": source,
    }


def write_notebook(path: Path, *cells: dict[str, Any], **metadata: object) -> Path:
    notebook = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def texts(path: Path) -> list[list[str]]:
    """What the outputs of each cell show."""
    return [
        [
            output["ename"]
            if output["output_type"] == "error"
            else "".join(output.get("text") or output["data"]["text/plain"])
            for output in cell["outputs"]
        ]
        for cell in read(path)["cells"]
    ]


def test_a_notebook_is_run_in_its_place_by_the_kernel_that_it_names(
    run: Run, tmp_path: Path
) -> None:
    path = write_notebook(
        tmp_path / "real.ipynb",
        cell(
            "from IPython.display import display\nhandle = display('a', display_id=True)\nprint(1)"
        ),
        cell("  \n"),
        cell("skipped", "skip-execution"),
        cell("handle.update('b'); 6 * 7"),
        kernelspec=PYTHON,
        mine={"kept": True},
    )
    path.chmod(0o640)
    (tmp_path / "link.ipynb").symlink_to(path)
    result = run("run", "link.ipynb")

    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)
    assert texts(path) == [["'b'", "1\n"], ["old\n"], ["old\n"], ["42"]]
    assert [cell["execution_count"] for cell in read(path)["cells"]] == [1, 99, 99, 2]
    metadata = read(path)["metadata"]
    assert (metadata["kernelspec"], metadata["mine"]) == (PYTHON, {"kept": True})
    assert metadata["language_info"]["file_extension"] == ".py"
    assert path.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "link.ipynb").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["link.ipynb", "real.ipynb"]


def test_a_cell_that_raises_ends_the_run_and_what_there_is_is_written(
    run: Run, tmp_path: Path
) -> None:
    path = write_notebook(
        tmp_path / "in.ipynb",
        cell("1/0", "raises-exception"),
        cell("print('x')\nraise ValueError('bad')"),
        cell("print('last')"),
    )
    before = path.read_bytes()
    result = run("run", "python3", "in.ipynb", "--output", "out.ipynb")

    out = tmp_path / "out.ipynb"
    assert texts(out) == [["ZeroDivisionError"], ["x\n", "ValueError"], ["old\n"]]
    assert result.stderr.startswith("-----")
    assert result.stderr.endswith("ValueError: bad\nError: cell 2 of 3 of in.ipynb has failed\n")
    assert (result.returncode, path.read_bytes()) == (1, before)
    assert read(out)["metadata"]["kernelspec"] == PYTHON


def test_errors_that_are_allowed_end_nothing(run: Run, tmp_path: Path) -> None:
    write_notebook(tmp_path / "in.ipynb", cell("1/0"), cell("print('last')"))
    result = run("run", "python3", "in.ipynb", "--allow-errors", "--output", "-")

    (tmp_path / "out.ipynb").write_text(result.stdout, encoding="utf-8")
    assert texts(tmp_path / "out.ipynb") == [["ZeroDivisionError"], ["last\n"]]
    assert (result.stderr, result.returncode) == ("", 0)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "marked.ipynb", cell("1"))
    path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")

    notebook = read_notebook(path, path)

    assert [each.source for each in notebook.code_cells()] == ["1"]


def test_a_notebook_of_an_older_format_is_upgraded(run: Run, tmp_path: Path) -> None:
    old: dict[str, Any] = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "language": "python",
                        "input": "6 * 7",
                        "outputs": [],
                        "collapsed": False,
                        "prompt_number": 1,
                        "metadata": {},
                    }
                ],
                "metadata": {},
            }
        ],
    }
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(old), encoding="utf-8")
    result = run("run", "-k", "python3", "old.ipynb")

    assert (result.stderr, result.returncode) == ("", 0)
    assert (read(path)["nbformat"], texts(path)) == (4, [["42"]])


@pytest.mark.parametrize(
    ("ends", "status", "told"),
    [
        (signal.SIGTERM, -signal.SIGTERM, ""),
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGINT, 130, "KeyboardInterrupt"),
        (None, 5, "not done within 1 s"),
    ],
    ids=["SIGTERM", "SIGKILL", "Ctrl-C", "timeout"],
)
def test_what_there_is_is_written_when_the_run_is_ended(
    tmp_path: Path, ends: signal.Signals | None, status: int, told: str
) -> None:
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    sleep = cell(f"open({str(begun)!r}, 'w').close(); import time; time.sleep(600)")
    cells = (cell("print('x')"), sleep, cell("1"))
    path = write_notebook(tmp_path / "in.ipynb", *cells, kernelspec=PYTHON)
    runtime = tmp_path / "runtime"
    command = [str(PROGRAM), "run", "in.ipynb", *(["--timeout", "1"] if ends is None else [])]
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
    ) as process:
        begun.read_bytes()
        if ends is not None:
            process.send_signal(ends)
        stderr = process.communicate(timeout=60)[1]

    assert (process.returncode, told in stderr) == (status, True)
    first, second, third = texts(path)
    assert (first, third) == (["x\n"], ["old\n"])
    # Who is killed has saved what was done before.
    assert ("old\n" in second) == (ends is signal.SIGKILL)
    assert left_behind(runtime) == []


@pytest.mark.parametrize(
    ("content", "arguments", "status", "told"),
    [
        ("no JSON", (), 2, "in.ipynb is no notebook"),
        ("[]", (), 2, "in.ipynb is no notebook"),
        ('{"cells": []', (), 2, "in.ipynb is no notebook"),
        (None, (), 2, "in.ipynb names no kernel; name it with -k"),
        (None, ("--output", "missing/out.ipynb"), 2, "out.ipynb cannot be written"),
        (None, ("-k", "python3", "--json"), 2, "-o json is for one script"),
    ],
)
def test_a_notebook_that_cannot_be_run_stays_as_it_is(
    run_here: Run,
    tmp_path: Path,
    content: str | None,
    arguments: tuple[str, ...],
    status: int,
    told: str,
) -> None:
    path = write_notebook(tmp_path / "in.ipynb", cell("1"))
    if content is not None:
        path.write_text(content, encoding="utf-8")
    before = path.read_bytes()
    result = run_here("run", "in.ipynb", *arguments)

    assert told in result.stderr
    assert (result.returncode, result.stdout, path.read_bytes()) == (status, "", before)


def test_a_notebook_that_is_read_only_is_not_replaced(run_here: Run, tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "in.ipynb", cell("1"))
    path.chmod(0o444)
    before = path.read_bytes()
    result = run_here("run", "python3", "in.ipynb")

    assert "in.ipynb cannot be written: it is read-only" in result.stderr
    assert (result.returncode, path.read_bytes()) == (2, before)
