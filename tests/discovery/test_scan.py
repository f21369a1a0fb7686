"""The entry points that are read without importlib_metadata are those that it reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import importlib_metadata
import pytest

from kernel_mgmt.discovery._scan import UnusualError, scan

from .conftest import GROUP


def install(directory: Path, folder: str, entry_points: str | None) -> Path:
    metadata = directory / folder
    metadata.mkdir(parents=True)
    name, _, version = folder.rpartition(".")[0].partition("-")
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (metadata / "METADATA").write_text(text, encoding="utf-8")
    if entry_points is not None:
        (metadata / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    return metadata


def claim(value: str, name: str = "oblong", group: str = GROUP) -> str:
    return f"# one\n\n[{group}]\n{name}={value}\n"


def values(*path: Path) -> list[str]:
    return [item.value for item in scan([GROUP], map(str, path), ())]


def test_it_finds_what_importlib_metadata_finds_here() -> None:
    metadata: Any = importlib_metadata
    everything = {(item.group, item.name, item.value) for item in metadata.entry_points()}
    groups = {group for group, _, _ in everything}

    assert {(item.group, item.name, item.value) for item in scan(groups)} == everything


def test_only_the_groups_that_are_asked_for_are_there(tmp_path: Path) -> None:
    install(tmp_path, "one-1.dist-info", claim("a:B") + claim("c:D", group=f"{GROUP}.other"))
    install(tmp_path, "two-1.egg-info", claim("e:F"))
    install(tmp_path, "three-1.dist-info", None)

    assert sorted(values(tmp_path, tmp_path, tmp_path / "nothing")) == ["a:B", "e:F"]


def test_the_first_distribution_of_a_name_hides_the_others(tmp_path: Path) -> None:
    install(tmp_path / "first", "my_kernels-2.dist-info", None)
    install(tmp_path / "second", "My.Kernels-1.dist-info", claim("a:B"))

    assert values(tmp_path / "first", tmp_path / "second") == []
    assert values(tmp_path / "second", tmp_path / "first") == ["a:B"]


def test_an_entry_point_loads_and_knows_its_distribution(tmp_path: Path) -> None:
    install(tmp_path, "one-1.5.dist-info", claim("os : path.join [extra]"))

    (entry_point,) = scan([GROUP], [str(tmp_path)], ())

    assert entry_point.load().__name__ == "join"
    assert (entry_point.dist.name, entry_point.dist.version) == ("one", "1.5")


@pytest.mark.parametrize("line", ["oblong", "oblong = a b", "oblong ="])
def test_what_is_no_entry_point_is_left_to_importlib_metadata(tmp_path: Path, line: str) -> None:
    install(tmp_path, "one-1.dist-info", f"[{GROUP}]\n{line}\n")

    with pytest.raises(UnusualError):
        values(tmp_path)


def test_bytes_that_are_no_text_are_left_to_importlib_metadata(tmp_path: Path) -> None:
    metadata = install(tmp_path, "one-1.dist-info", "")
    (metadata / "entry_points.txt").write_bytes(b"\xff")

    with pytest.raises(UnusualError):
        values(tmp_path)


def test_archives_and_eggs_are_left_to_importlib_metadata(tmp_path: Path) -> None:
    (tmp_path / "kernels.zip").touch()
    (tmp_path / "site" / "one.egg").mkdir(parents=True)

    for path in (tmp_path / "kernels.zip", tmp_path / "site", tmp_path / "site" / "one.egg"):
        with pytest.raises(UnusualError):
            values(path)


def test_other_finders_of_distributions_are_left_to_importlib_metadata() -> None:
    class Finder:
        def find_distributions(self) -> None: ...

    with pytest.raises(UnusualError, match="finds distributions, too"):
        scan([GROUP], [], [Finder()])


def test_a_listing_does_not_import_importlib_metadata() -> None:
    code = (
        "import sys; from kernel_mgmt.discovery import KernelFinder;"
        "found = dict(KernelFinder.from_entrypoints().find_kernels());"
        "print('spec/python3' in found, 'importlib_metadata' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stdout.strip() == "True False"
