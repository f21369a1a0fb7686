"""The command ``kernel-mgmt provider``."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Run
from .installed import install_provider


def test_each_provider_has_its_times_and_its_origin(run_here: Run) -> None:
    result = run_here("provider", "list")

    header, *rows = result.stdout.splitlines()
    assert header.startswith("ID ")
    (row,) = (row for row in rows if row.startswith("spec "))
    assert " kernel_mgmt_spec.KernelSpecProvider " in row
    assert " kernel-mgmt " in row
    assert row.count(" ms ") == 2
    assert row.split()[-1] == "0"
    assert (result.returncode, result.stderr) == (0, "")


def test_a_provider_that_cannot_be_used_stands_there_with_its_problem(
    run_here: Run, tmp_path: Path
) -> None:
    env = install_provider(tmp_path / "site", "id = 'other'\n\ndef find_kernels(self):\n    ...")

    result = run_here("provider", "list", "-o", "json", **env)

    told = {item["id"]: item for item in json.loads(result.stdout)["providers"]}
    broken = told["oblong"]
    assert (broken["class"], broken["load_time"], broken["kernel_types"]) == (None, None, [])
    assert (broken["distribution"], broken["version"]) == ("oblong-kernels", "1.5")
    assert "its id is 'other'" in broken["problems"][0]["reason"]
    assert "spec/python3" in told["spec"]["kernel_types"]
    assert "its id is 'other'" in result.stderr


def test_an_unknown_command_of_the_group_names_the_one_that_may_be_meant(run_here: Run) -> None:
    result = run_here("provider", "lst")

    assert "There is no command 'lst'; did you mean 'list'?" in result.stderr
    assert result.returncode == 2
