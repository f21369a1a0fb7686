"""The command ``kernel-mgmt export``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from .conftest import Run

DIES = {"argv": ["false"], "display_name": "Gone", "language": "none"}


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data directory of Jupyter."""
    directory = tmp_path / "data"
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(directory))
    return directory


def names_for_jupyter() -> dict[str, str]:
    """What Jupyter's own programs list."""
    found: dict[str, str] = KernelSpecManager().find_kernel_specs()
    return found


def test_jupyter_lists_what_was_exported(run_here: Run, data_dir: Path) -> None:
    result = run_here("export", "pyimport/kernel")

    directory = data_dir / "kernels" / "pyimport.kernel"
    assert result.stdout == f"pyimport.kernel  pyimport/kernel  {directory}\n"
    assert names_for_jupyter()["pyimport.kernel"] == str(directory)
    assert "logo-svg.svg" in os.listdir(directory)


def test_a_second_export_takes_the_place_of_the_first(run_here: Run, data_dir: Path) -> None:
    run_here("export", "--all")
    run_here("export", "--all")

    assert os.listdir(data_dir / "kernels") == ["pyimport.kernel"]


def test_it_goes_where_it_is_told_to(run_here: Run, data_dir: Path, tmp_path: Path) -> None:
    run_here("export", "--all", "--prefix", str(tmp_path / "prefix"))

    kernels = tmp_path / "prefix" / "share" / "jupyter" / "kernels"
    assert os.listdir(kernels) == ["pyimport.kernel"]
    assert not data_dir.exists()


def test_what_was_exported_is_removed(run_here: Run, data_dir: Path) -> None:
    run_here("export", "--all")

    result = run_here("export", "--remove", "pyimport/kernel")
    again = run_here("export", "--remove", "pyimport/kernel")

    assert os.listdir(data_dir / "kernels") == []
    assert "Removed" in result.stderr
    assert again.returncode == 3


@pytest.mark.usefixtures("data_dir")
def test_a_kernelspec_is_not_exported(run_here: Run) -> None:
    result = run_here("export", "python3")

    assert "find its kernelspec already" in result.stderr
    assert result.returncode == 2


def test_what_was_exported_is_removed_where_it_is_told_to(
    run_here: Run, data_dir: Path, tmp_path: Path
) -> None:
    prefix = tmp_path / "prefix"
    run_here("export", "--all")
    run_here("export", "--all", "--prefix", str(prefix))

    result = run_here("export", "--remove", "--all", "--prefix", str(prefix))

    assert result.returncode == 0
    assert os.listdir(prefix / "share" / "jupyter" / "kernels") == []
    assert os.listdir(data_dir / "kernels") == ["pyimport.kernel"]


def test_what_another_hides_is_removed_too(run_here: Run, data_dir: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    run_here("export", "--all")
    run_here("export", "--all", "--prefix", str(prefix))

    search_path = str(prefix / "share" / "jupyter")
    run_here("export", "--remove", "pyimport/kernel", JUPYTER_PATH=search_path)

    assert os.listdir(prefix / "share" / "jupyter" / "kernels") == []
    assert os.listdir(data_dir / "kernels") == []


@pytest.mark.parametrize("written", ['{"argv": ["mine"], "display_name": "", "language": ""}', "{"])
def test_a_kernelspec_that_somebody_has_written_stays(
    run_here: Run, data_dir: Path, tmp_path: Path, written: str
) -> None:
    directory = tmp_path / "prefix" / "share" / "jupyter" / "kernels" / "pyimport.kernel"
    directory.mkdir(parents=True)
    (directory / "kernel.json").write_text(written, encoding="utf-8")

    result = run_here("export", "pyimport/kernel", "--prefix", str(tmp_path / "prefix"))

    assert (result.returncode, result.stdout) == (1, "")
    assert f"There is something else already: {directory}" in result.stderr
    assert (directory / "kernel.json").read_text(encoding="utf-8") == written


def test_a_kernel_type_keeps_the_name_it_was_exported_by(run_here: Run, data_dir: Path) -> None:
    run_here("export", "--all")
    os.rename(data_dir / "kernels" / "pyimport.kernel", data_dir / "kernels" / "older-name")

    run_here("export", "--all")

    assert os.listdir(data_dir / "kernels") == ["older-name"]


def test_one_that_cannot_be_written_holds_up_no_other(run_here: Run, data_dir: Path) -> None:
    run_here("export", "--all")
    unwritable = data_dir / "kernels" / ("a" * 250)  # beside it there is no room for a longer name
    os.rename(data_dir / "kernels" / "pyimport.kernel", unwritable)
    run_here("kernelspec", "install", str(unwritable), "--name", "stale", "--user")
    stale = data_dir / "kernels" / "stale" / "kernel.json"
    stale.write_text(stale.read_text(encoding="utf-8").replace("this interp", "that interp"))

    result = run_here("export", "--sync")

    assert result.returncode == 1
    assert "not exported: " in result.stderr
    assert "this interp" in stale.read_text(encoding="utf-8")


def test_what_stands_for_a_kernel_type_that_is_gone_is_removed_by_a_sync(
    run_here: Run, data_dir: Path
) -> None:
    run_here("export", "--all")
    gone = data_dir / "kernels" / "pyimport.gone"
    gone.mkdir()
    spec = {**DIES, "metadata": {"kernel_mgmt": {"kernel_type": "pyimport/gone"}}}
    (gone / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    result = run_here("export", "--sync")

    assert os.listdir(data_dir / "kernels") == ["pyimport.kernel"]
    assert "there is no pyimport/gone any more" in result.stderr


def test_a_sync_mends_what_was_exported(run_here: Run, data_dir: Path) -> None:
    run_here("export", "--all")
    path = data_dir / "kernels" / "pyimport.kernel" / "kernel.json"
    written = path.read_text(encoding="utf-8")
    path.write_text(written.replace("stand_in", "old_name"), encoding="utf-8")

    run_here("export", "--sync")

    assert path.read_text(encoding="utf-8") == written
