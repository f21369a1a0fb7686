"""The command ``kernel-mgmt jupyter``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run


def test_it_is_enabled_and_disabled_again(run_here: Run, tmp_path: Path) -> None:
    path = tmp_path / "config" / "jupyter_server_config.json"
    config = {"JUPYTER_CONFIG_DIR": str(tmp_path / "config")}

    before = run_here("jupyter", "status", **config)
    enabled = run_here("jupyter", "enable", **config)
    after = run_here("jupyter", "status", **config)
    disabled = run_here("jupyter", "disable", **config)
    again = run_here("jupyter", "disable", **config)

    assert (before.returncode, before.stdout) == (1, "")
    assert (enabled.returncode, enabled.stdout) == (0, f"{path}\n")
    assert (after.returncode, after.stdout) == (0, f"{path}\n")
    assert disabled.returncode == 0
    assert not path.exists()
    assert (again.returncode, "It is not enabled" in again.stderr) == (1, True)


def test_the_settings_of_others_stay(run_here: Run, tmp_path: Path) -> None:
    path = tmp_path / "jupyter_server_config.json"
    others = {"ServerApp": {"port": 9999}, "Other": {"a": [1]}}
    path.write_text(json.dumps(others), encoding="utf-8")

    run_here("jupyter", "enable", JUPYTER_CONFIG_DIR=str(tmp_path))
    enabled = json.loads(path.read_text(encoding="utf-8"))
    run_here("jupyter", "disable", JUPYTER_CONFIG_DIR=str(tmp_path))
    disabled = json.loads(path.read_text(encoding="utf-8"))

    assert enabled["ServerApp"].pop("kernel_spec_manager_class").startswith("kernel_mgmt.")
    assert enabled == disabled == others


def test_another_class_is_not_displaced(run_here: Run, tmp_path: Path) -> None:
    path = tmp_path / "jupyter_server_config.json"
    path.write_text('{"ServerApp": {"kernel_spec_manager_class": "x.Y"}}', encoding="utf-8")

    result = run_here("jupyter", "enable", JUPYTER_CONFIG_DIR=str(tmp_path))

    assert "to 'x.Y' already" in result.stderr
    assert result.returncode == 1
    assert "x.Y" in path.read_text(encoding="utf-8")


def test_others_may_read_the_file_as_before_and_a_link_to_it_stays(
    run_here: Run, tmp_path: Path
) -> None:
    real, link = tmp_path / "dotfiles.json", tmp_path / "jupyter_server_config.json"
    real.write_text("{}", encoding="utf-8")
    real.chmod(0o644)
    link.symlink_to(real)

    run_here("jupyter", "enable", JUPYTER_CONFIG_DIR=str(tmp_path))

    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o644
    assert "kernel_spec_manager_class" in real.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["[]", '{"ServerApp": null}'])
def test_a_file_that_holds_something_else_is_told(
    run_here: Run, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "jupyter_server_config.json"
    path.write_text(content, encoding="utf-8")

    results = [
        run_here("jupyter", verb, JUPYTER_CONFIG_DIR=str(tmp_path))
        for verb in ("enable", "disable", "status")
    ]

    for result in results:
        assert "should hold a JSON object" in result.stderr
        assert result.returncode == 1
    assert path.read_text(encoding="utf-8") == content


def test_a_command_that_is_not_there_is_told_as_elsewhere(run_here: Run) -> None:
    result = run_here("jupyter", "enabel")

    assert "There is no command 'enabel'; did you mean 'enable'?" in result.stderr
    assert result.returncode == 2
