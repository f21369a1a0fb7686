from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel_mgmt.classic._external import ExternalKernels

INFO = {"transport": "tcp", "shell_port": 1, "key": "k", "kernel_name": "python3"}


def write(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**INFO, **changes}), encoding="utf-8")


def test_a_file_that_appears_is_found_until_it_is_known(tmp_path: Path) -> None:
    external = ExternalKernels(tmp_path)
    path = tmp_path / "kernel-1.json"
    write(path)

    found = list(external.find_new(ours=()))
    external.remember(found[0][0], "id")

    assert found == [(str(path), INFO)]
    assert list(external.find_new(ours=())) == []


def test_a_file_that_vanishes_is_forgotten_once(tmp_path: Path) -> None:
    external = ExternalKernels(tmp_path)
    write(tmp_path / "kernel-1.json")
    external.remember(str(tmp_path / "kernel-1.json"), "id")

    before = external.forget_those_gone()
    (tmp_path / "kernel-1.json").unlink()

    assert before == []
    assert external.forget_those_gone() == ["id"]
    assert external.forget_those_gone() == []


def test_a_file_that_comes_back_is_found_again(tmp_path: Path) -> None:
    external = ExternalKernels(tmp_path)
    path = tmp_path / "kernel-1.json"
    external.remember(str(path), "id")
    external.forget_those_gone()

    write(path)

    assert [found for found, _ in external.find_new(ours=())] == [str(path)]


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({**INFO, "key": ""}), '{"a": 1}'])
def test_what_is_no_connection_file_is_passed_over(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    (tmp_path / "directory").mkdir()

    assert list(ExternalKernels(tmp_path).find_new(ours=())) == []


def test_ones_own_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "kernel-1.json")

    assert list(ExternalKernels(tmp_path).find_new(ours={str(tmp_path / "kernel-1.json")})) == []


def test_a_directory_that_is_not_there_has_no_kernels(tmp_path: Path) -> None:
    external = ExternalKernels(tmp_path / "missing")

    assert external.forget_those_gone() == []
    assert list(external.find_new(ours=())) == []
