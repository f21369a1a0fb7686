"""The command ``kernel-mgmt kernelspec``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pexpect
import pytest

from .conftest import Run, Terminal
from .installed import write_kernelspec


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the user."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_an_installation_tells_where_it_went_and_how_to_start_it(
    run_here: Run, data_dir: Path, tmp_path: Path
) -> None:
    source = write_kernelspec(tmp_path, "source")

    result = run_here("kernelspec", "install", str(source), "--name", "Mine", "--user")

    assert (data_dir / "kernels" / "mine" / "kernel.json").is_file()
    assert f"Installed in {data_dir / 'kernels' / 'mine'}" in result.stderr
    assert "Start it as spec/mine, or mine for short" in result.stderr
    assert result.returncode == 0
    listed = run_here("kernelspec", "list", "-o", "name").stdout.splitlines()
    assert "mine" in listed


def test_a_second_of_the_name_needs_replace(run_here: Run, data_dir: Path, tmp_path: Path) -> None:
    write_kernelspec(data_dir, "mine", display_name="Old")
    source = write_kernelspec(tmp_path, "mine", display_name="New")

    refused = run_here("kernelspec", "install", str(source), "--user")
    replaced = run_here("kernelspec", "install", str(source), "--user", "--replace")

    assert "--replace" in refused.stderr
    assert (refused.returncode, replaced.returncode) == (1, 0)
    told = json.loads(run_here("kernelspec", "list", "-o", "json").stdout)["kernelspecs"]
    assert told["mine"]["spec"]["display_name"] == "New"


def test_a_place_that_is_not_searched_is_told(run_here: Run, tmp_path: Path) -> None:
    source = write_kernelspec(tmp_path, "mine")

    result = run_here("kernelspec", "install", str(source), "--prefix", str(tmp_path / "env"))

    place = tmp_path / "env" / "share" / "jupyter" / "kernels"
    assert (place / "mine").is_dir()
    assert f"Jupyter does not search {place}" in result.stderr
    assert result.stderr.count("does not search") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{source}", "--user", "--sys-prefix"], "Use one of"),
        (["{source}", "--name", "a b", "--user"], "cannot be called 'a b'"),
        (["nothing", "--user"], "cannot be used: it is not there"),
    ],
)
def test_what_cannot_be_installed_is_an_error_of_usage(
    run_here: Run, data_dir: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    source = write_kernelspec(tmp_path, "mine")

    result = run_here("kernelspec", "install", *(item.format(source=source) for item in arguments))

    assert message in result.stderr
    assert result.returncode == 2
    assert not data_dir.exists()


def test_nothing_is_removed_where_nobody_can_be_asked(run_here: Run, data_dir: Path) -> None:
    folder = write_kernelspec(data_dir, "mine")

    refused = run_here("kernelspec", "remove", "mine", stdin="y\n")

    assert "Nobody can be asked here" in refused.stderr
    assert refused.returncode == 2
    assert folder.is_dir()


def test_several_are_removed_with_yes_and_what_was_hidden_is_told(
    run_here: Run, data_dir: Path, tmp_path: Path
) -> None:
    write_kernelspec(data_dir, "mine")
    write_kernelspec(data_dir, "broken", argv=[])
    shutil.copytree(data_dir, tmp_path / "other")

    result = run_here(
        "kernelspec", "remove", "spec/mine", "BROKEN", "-y", JUPYTER_PATH=f"{tmp_path / 'other'}"
    )

    left = tmp_path / "other" / "kernels"
    assert list(left.iterdir()) == []
    assert result.stderr.count("Removed ") == 2
    assert f"spec/mine is now the one of {data_dir / 'kernels' / 'mine'}" in result.stderr
    assert result.returncode == 0


def test_a_wrong_name_removes_nothing(run_here: Run, data_dir: Path) -> None:
    folder = write_kernelspec(data_dir, "mine")

    result = run_here("kernelspec", "remove", "mine", "mien", "-y")

    assert "did you mean 'mine'?" in result.stderr
    assert result.returncode == 3
    assert folder.is_dir()


def test_at_a_terminal_the_user_is_asked(terminal: Terminal, data_dir: Path) -> None:
    folder = write_kernelspec(data_dir, "mine")

    for answer, is_left in (("n", True), ("y", False)):
        child = terminal("kernelspec", "remove", "mine")
        child.expect_exact("Remove ")
        child.expect_exact("[y/N]:")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.wait()

        assert folder.is_dir() is is_left
        assert child.exitstatus == (1 if is_left else 0)
