"""The command ``kernel-mgmt list``."""

from __future__ import annotations

import json

from .conftest import Run


def test_each_kernel_type_is_in_the_table(run: Run) -> None:
    result = run("list")

    header, *rows = result.stdout.splitlines()
    assert header.split() == ["NAME", "DISPLAY", "NAME", "LANGUAGE"]
    assert any(row.startswith("spec/python3 ") and row.endswith(" python") for row in rows)
    assert (result.returncode, result.stderr) == (0, "")


def test_json_has_the_attributes_of_each(run: Run) -> None:
    result = run("list", "-o", "json")

    kernels = json.loads(result.stdout)["kernels"]
    assert kernels["spec/python3"]["language"] == "python"
