"""What the argument of the console means."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kernel_mgmt.cli._console._target import Target, find_target
from kernel_mgmt.cli._status import CommandError, Status
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.records import KernelRecord, ProcessIdentity
from kernel_mgmt_spec import KernelSpecProvider

pytestmark = pytest.mark.anyio


@pytest.fixture
def finder(tmp_path: Path) -> KernelFinder:
    """Finds one kernel type: ``spec/abacus``."""
    directory = tmp_path / "kernels" / "abacus"
    directory.mkdir(parents=True)
    spec = {"argv": ["true"], "display_name": "Abacus", "language": "beads"}
    (directory / "kernel.json").write_text(json.dumps(spec))
    return KernelFinder([KernelSpecProvider(search_path=[str(tmp_path / "kernels")])])


def record(kernel_id: str, name: str | None = None) -> KernelRecord:
    return KernelRecord(kernel_id, ProcessIdentity.of(os.getpid()), "a file", name=name)


async def test_a_kernel_type_is_started(finder: KernelFinder) -> None:
    assert await find_target("abacus", None, finder, []) == Target("start", "spec/abacus")
    assert await find_target("spec/abacus", None, finder, []) == Target("start", "spec/abacus")


async def test_a_running_kernel_is_attached_to(finder: KernelFinder) -> None:
    records = [record("12ab", "mine"), record("34cd")]

    assert await find_target("mine", None, finder, records) == Target(
        "attach", "12ab", alias="mine"
    )
    assert await find_target("34", None, finder, records) == Target("attach", "34cd")


async def test_the_name_of_a_running_kernel_goes_before_a_kernel_type(finder: KernelFinder) -> None:
    target = await find_target("abacus", None, finder, [record("12ab", "abacus")])

    assert target[:2] == ("attach", "12ab")
    assert "'spec/abacus'" in (target.note or "")


async def test_a_kernel_type_goes_before_the_beginning_of_an_id(finder: KernelFinder) -> None:
    target = await find_target("abacus", None, finder, [record("abacus-7")])

    assert target[:2] == ("start", "spec/abacus")
    assert "abacus-7" in (target.note or "")


async def test_what_is_neither_is_an_error_that_names_both(finder: KernelFinder) -> None:
    with pytest.raises(CommandError, match=r"did you mean 'spec/abacus'\?.*no kernel") as caught:
        await find_target("abakus", None, finder, [])

    assert caught.value.status is Status.NO_SUCH_KERNEL


async def test_a_path_is_a_connection_file(finder: KernelFinder, tmp_path: Path) -> None:
    path = tmp_path / "kernel-5.json"
    path.touch()

    assert await find_target(str(path), None, finder) == Target("attach", str(path))
    with pytest.raises(CommandError):
        await find_target("./abacus", None, finder)


async def test_without_a_name_the_latest_connection_file_is_meant(
    finder: KernelFinder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    for age, name in enumerate(["kernel-new.json", "kernel-old.json"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))

    latest = await find_target(None, "", finder)
    assert latest == Target("attach", str(tmp_path / "kernel-new.json"))
    named = await find_target(None, "old", finder)
    assert named == Target("attach", str(tmp_path / "kernel-old.json"))
