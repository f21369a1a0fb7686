"""Each check of the installation finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from kernel_mgmt.cli._doctor._findings import Result
from kernel_mgmt.cli._doctor.installation._directories import (
    check_runtime_directory,
    check_search_path,
)
from kernel_mgmt.cli._doctor.installation._jupyter_client import check_jupyter_client
from kernel_mgmt.cli._doctor.installation._providers import check_old_group, check_providers
from kernel_mgmt.cli._doctor.installation._python import check_extras, check_libraries
from kernel_mgmt.cli._doctor.installation._records import check_records
from kernel_mgmt.cli._doctor.installation._system import (
    check_curve,
    check_file_limit,
    check_guardian,
    check_ipc,
    check_pidfd,
)
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.records import KernelRecord, ProcessIdentity, write_record

OK, NOTE, PROBLEM = Result.OK, Result.NOTE, Result.PROBLEM


def test_what_this_environment_offers_is_well() -> None:
    found = [check_libraries(), check_extras(), check_guardian(), check_pidfd(), check_ipc()]
    found += [check_curve(), check_jupyter_client(), check_old_group()]

    assert [finding.result for finding in found] == [OK] * 8


def test_a_library_that_is_missing_is_a_problem() -> None:
    finding = check_libraries(["anyio>=4", "no-such-library>=1", 'click; extra == "cli"'])

    assert (finding.result, finding.seen) == (PROBLEM, "missing: no-such-library")


def test_an_extra_tells_what_it_lacks() -> None:
    finding = check_extras(['click; extra == "cli"', 'no-such-library>=1; extra == "oblong"'])

    assert finding.seen == (
        "cli is complete; oblong lacks no-such-library (pip install 'kernel-mgmt[oblong]')"
    )


def test_the_directories_that_exist_are_told(tmp_path: Path) -> None:
    finding = check_search_path([str(tmp_path), str(tmp_path / "absent")])

    assert (finding.result, finding.seen) == (OK, f"1 of 2 exist: {tmp_path}")
    assert check_search_path([str(tmp_path / "absent")]).result is NOTE


def test_a_runtime_directory_that_others_may_read_is_a_problem(tmp_path: Path) -> None:
    directory = tmp_path / "runtime"
    directory.mkdir(0o700)
    before = check_runtime_directory(str(directory))
    directory.chmod(0o755)

    finding = check_runtime_directory(str(directory))

    assert (before.result, finding.result) == (OK, PROBLEM)
    assert finding.seen == f"{directory} is open to others (0755)"
    assert finding.advice == f"chmod 700 {directory}"


def test_a_runtime_directory_that_is_not_there_yet_is_well(tmp_path: Path) -> None:
    finding = check_runtime_directory(str(tmp_path / "absent"))

    assert finding.result is OK
    assert "not made yet" in finding.seen


def test_a_network_file_system_is_a_problem(tmp_path: Path) -> None:
    place = tmp_path / "my home"
    place.mkdir(0o700)
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/root / ext4 rw 0 0\nserver:/home {str(place).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n"
    )

    on_network = check_runtime_directory(str(place), str(mounts))
    beside = check_runtime_directory(str(tmp_path / "other"), str(mounts))

    assert on_network.seen == f"{place} is on a network file system (nfs4)"
    assert (on_network.result, beside.result) == (PROBLEM, OK)


def test_stale_and_unreadable_records_are_told(tmp_path: Path) -> None:
    here = ProcessIdentity.of(os.getpid())
    write_record(KernelRecord("alive", here, "none"), tmp_path)
    alive = check_records(str(tmp_path))
    write_record(KernelRecord("stale", ProcessIdentity(here.pid, 1), "none"), tmp_path)
    stale = check_records(str(tmp_path))
    (tmp_path / ".kernel-odd.record.json").write_text("{")
    unreadable = check_records(str(tmp_path))

    assert (alive.result, alive.seen) == (OK, "running kernels: 1")
    assert (stale.result, stale.seen) == (NOTE, "1 of 2 kernels no longer run")
    assert unreadable.result is PROBLEM


def test_a_guardian_that_cannot_be_started_is_a_problem() -> None:
    assert check_guardian("/no/such/interpreter").result is PROBLEM
    assert check_guardian("/bin/false").result is PROBLEM


@pytest.mark.parametrize(("limit", "result"), [(-1, OK), (1024, OK), (512, NOTE), (64, PROBLEM)])
def test_the_limit_of_open_files_is_judged(limit: int, result: Result) -> None:
    assert check_file_limit(limit).result is result


def test_a_directory_with_too_long_a_path_for_sockets_is_noted(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 120)
    directory.mkdir()

    assert check_ipc(str(directory)).result is NOTE


@pytest.mark.parametrize(
    ("versions", "result"),
    [({}, OK), ({"here": "8.10.0"}, OK), ({"here": "8.9.0", "there": "8.6.3"}, NOTE)],
)
def test_a_jupyter_client_that_knows_no_curve_is_noted(
    versions: dict[str, str], result: Result
) -> None:
    assert check_jupyter_client(versions).result is result


def test_a_provider_under_the_old_group_is_a_problem() -> None:
    old = EntryPoint("oblong", "oblong:Provider", "jupyter_kernel_mgmt.kernel_type_providers")

    finding = check_old_group(EntryPoints([old]))

    assert finding.result is PROBLEM
    assert finding.seen.startswith("oblong in ")


def test_a_provider_that_does_not_load_is_told_beside_one_that_does() -> None:
    group = "kernel_mgmt.kernel_type_providers"
    finder = KernelFinder.from_entrypoints(
        [
            EntryPoint("oblong", "no_such_module:Provider", group),
            EntryPoint("spec", "kernel_mgmt_spec:KernelSpecProvider", group),
        ]
    )

    found = dict(check_providers(finder))

    assert found["provider spec"].result is OK
    assert found["provider oblong"].result is PROBLEM
    assert "No module named 'no_such_module'" in found["provider oblong"].seen
