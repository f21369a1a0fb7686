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


def test_the_file_keeps_its_mode_and_its_place(run_here: Run, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text('{"ServerApp": {"port": 9999}}', encoding="utf-8")
    kept.chmod(0o640)
    (tmp_path / "jupyter_server_config.json").symlink_to(kept)

    run_here("jupyter", "enable", JUPYTER_CONFIG_DIR=str(tmp_path))

    assert "kernel_spec_manager_class" in kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o777 == 0o640


def test_others_may_read_a_new_file(run_here: Run, tmp_path: Path) -> None:
    run_here("jupyter", "enable", JUPYTER_CONFIG_DIR=str(tmp_path))
    usual = tmp_path / "usual"
    usual.touch()

    path = tmp_path / "jupyter_server_config.json"
    assert path.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("content", ["{", "[]", '{"ServerApp": []}'])
def test_a_file_that_is_not_understood_stays_as_it_is(
    run_here: Run, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "jupyter_server_config.json"
    path.write_text(content, encoding="utf-8")

    actions = ("enable", "disable", "status")
    results = [run_here("jupyter", each, JUPYTER_CONFIG_DIR=str(tmp_path)) for each in actions]

    assert [result.returncode for result in results] == [1, 1, 1]
    assert all(result.stderr.count(str(path)) == 1 for result in results[:2])
    assert path.read_text(encoding="utf-8") == content


def test_a_faulty_file_hides_no_other(run_here: Run, tmp_path: Path) -> None:
    names = {"JUPYTER_CONFIG_DIR": tmp_path / "faulty", "JUPYTER_CONFIG_PATH": tmp_path / "good"}
    config = {name: str(directory) for name, directory in names.items()}
    run_here("jupyter", "enable", JUPYTER_CONFIG_DIR=str(tmp_path / "good"))
    (tmp_path / "faulty").mkdir()
    (tmp_path / "faulty" / "jupyter_server_config.json").write_text("{", encoding="utf-8")

    result = run_here("jupyter", "status", **config)

    assert result.stdout == f"{tmp_path / 'good' / 'jupyter_server_config.json'}\n"
    assert "is not JSON" in result.stderr


def test_a_command_that_is_not_there_is_told_as_elsewhere(run_here: Run) -> None:
    result = run_here("jupyter", "enabel")

    assert "There is no command 'enabel'; did you mean 'enable'?" in result.stderr
    assert result.returncode == 2
