"""The records of kernels: written whole, read with tolerance, pruned with care."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kernel_mgmt.records import (
    FoundRecords,
    KernelRecord,
    LaunchDetails,
    Machine,
    ProcessIdentity,
    find_left,
    find_records,
    is_foreign,
    is_stale,
    prune,
    read_record,
    record_path,
    write_record,
)
from kernel_mgmt.types import ResourceLimits

# No process has the pid 2 ** 22 + 1: it is beyond what Linux gives away.
NOBODY = ProcessIdentity((1 << 22) + 1, 1)
SELF = ProcessIdentity.of(os.getpid())


def make_record(directory: Path, kernel_id: str = "a", **values: Any) -> KernelRecord:
    """Write the record of a kernel that has ended, with its files, and return it."""
    files = (
        str(directory / f"kernel-{kernel_id}.json"),
        str(directory / f".kernel-{kernel_id}.log"),
    )
    for file in files:
        Path(file).touch()
    described: dict[str, Any] = {
        "kernel_id": kernel_id,
        "process": NOBODY,
        "connection_file": files[0],
        "log_file": files[1],
        "files": (*files, record_path(kernel_id, directory)),
        "owner": NOBODY,
    }
    record = KernelRecord(**(described | values))
    write_record(record, directory)
    return record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = make_record(
        tmp_path,
        kernel_type="spec/python3",
        launcher="a.Launcher",
        argv=("python", "-f", "{connection_file}"),
        cwd="/ü",
        interrupt_mode="message",
        persist=True,
    )

    assert read_record(record_path("a", tmp_path)) == record
    assert KernelRecord.from_dict(record.to_dict()) == record


def test_a_record_holds_what_its_kernel_was_launched_with(tmp_path: Path) -> None:
    launch = LaunchDetails(
        launch_params={"cores": [1, {"a": None}]},
        env={"TOKEN": "secret"},
        extra_arguments=("--debug",),
        transport="ipc",
        encryption="disabled",
        limits=ResourceLimits(memory=1),
    )
    record = make_record(tmp_path, launch=launch)

    assert read_record(record_path("a", tmp_path)).launch == launch
    assert "secret" not in repr(record)


def test_a_record_from_before_such_details_were_kept_is_read(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    path = Path(record_path("a", tmp_path))
    path.write_text(json.dumps({k: v for k, v in record.to_dict().items() if k != "launch"}))

    assert read_record(path).launch is None


def test_a_record_describes_who_wrote_it_if_nothing_else_is_said() -> None:
    record = KernelRecord("a", NOBODY, "/a.json")

    assert record.owner == SELF
    assert record.machine == Machine.this()


def test_a_record_can_be_read_by_its_owner_only_and_has_no_key(tmp_path: Path) -> None:
    make_record(tmp_path)
    path = Path(record_path("a", tmp_path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "key" not in json.loads(path.read_text())


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    record = KernelRecord("a", NOBODY, "/a.json")
    Path(record_path("a", tmp_path)).mkdir()

    with pytest.raises(OSError, match="directory"):
        write_record(record, tmp_path)
    assert os.listdir(tmp_path) == [Path(record_path("a", tmp_path)).name]


def test_a_record_takes_the_place_of_one_that_was_left_half_written(tmp_path: Path) -> None:
    unfinished = Path(f"{record_path('a', tmp_path)}.new")
    unfinished.write_text("{")
    record = make_record(tmp_path)

    assert find_records(tmp_path) == FoundRecords((record,), ())
    assert not unfinished.exists()


def test_records_are_found_the_oldest_first(tmp_path: Path) -> None:
    for created_at, kernel_id in ((2.0, "b"), (1.0, "c"), (3.0, "a")):
        make_record(tmp_path, kernel_id, created_at=created_at)

    assert [each.kernel_id for each in find_records(tmp_path).records] == ["c", "b", "a"]


def test_there_are_no_records_where_there_is_no_directory(tmp_path: Path) -> None:
    assert find_records(tmp_path / "nowhere") == FoundRecords((), ())
    assert prune(tmp_path / "nowhere") == []


def test_the_runtime_directory_has_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    record = make_record(tmp_path)

    assert find_records().records == (record,)
    assert [each.kernel_id for each in find_left()] == ["a"]
    assert [each.kernel_id for each in prune()] == ["a"]


def test_one_kernel_alone_is_pruned_if_it_is_named(tmp_path: Path) -> None:
    for kernel_id in ("a", "b"):
        make_record(tmp_path, kernel_id)
    pruned = prune(tmp_path, kernel_id="b")

    assert [record.kernel_id for record in pruned] == ["b"]
    assert [record.kernel_id for record in find_records(tmp_path).records] == ["a"]


def test_other_files_are_no_records(tmp_path: Path) -> None:
    for name in (
        "kernel-a.json",
        "kernel-a.record.json",
        ".kernel-a.log",
        ".kernel-a.record.json.new",
    ):
        (tmp_path / name).write_text("{}")

    assert find_records(tmp_path) == FoundRecords((), ())


WRONG = {
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "something else": b"{}",
    "bad UTF-8": b"\xff",
    "nested too deeply": b"[" * 100_000,
    "a later version": b'{"kernel_id": "a", "version": 2}',
    "half of it": b'{"kernel_id": "a", "version": 1}',
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_garbage_is_reported_and_hides_no_other(tmp_path: Path, content: bytes) -> None:
    record = make_record(tmp_path, "good")
    garbage = Path(record_path("bad", tmp_path))
    garbage.write_bytes(content)
    found = find_records(tmp_path)
    prune(tmp_path)

    assert found.records == (record,)
    assert [each.path for each in found.unreadable] == [str(garbage)]
    assert found.unreadable[0].reason
    assert garbage.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernel_id": 1},
        {"process": {"pid": "1", "start_time": 1}},
        {"process": {"start_time": 1}},
        {"process": None},
        {"argv": "python"},
        {"files": [None]},
        {"machine": {}},
        {"created_at": "now"},
        {"persist": 1},
    ],
    ids=str,
)
def test_a_value_of_the_wrong_type_makes_a_record_unreadable(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    values = make_record(tmp_path).to_dict() | wrong
    Path(record_path("a", tmp_path)).write_text(json.dumps(values))

    assert len(find_records(tmp_path).unreadable) == 1


def test_a_kernel_that_runs_is_not_stale(tmp_path: Path) -> None:
    assert not is_stale(make_record(tmp_path, process=SELF))


def test_a_kernel_that_has_ended_is_stale(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        identity = ProcessIdentity.of(process.pid)

    assert is_stale(make_record(tmp_path, process=identity))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has waitid in every Python")
def test_a_kernel_that_has_ended_and_was_not_waited_for_is_stale(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        identity = ProcessIdentity.of(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        stale = is_stale(make_record(tmp_path, process=identity))

    assert stale


linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells start times and boots")


@linux
def test_a_kernel_whose_pid_another_process_has_is_stale(tmp_path: Path) -> None:
    assert SELF.start_time is not None
    reused = replace(SELF, start_time=SELF.start_time - 1)

    assert is_stale(make_record(tmp_path, process=reused))


@linux
def test_a_kernel_from_before_the_boot_is_stale(tmp_path: Path) -> None:
    machine = replace(Machine.this(), boot_id="another")

    assert is_stale(make_record(tmp_path, process=SELF, machine=machine))


@linux
@pytest.mark.parametrize(
    "values",
    [{"host": "another", "boot_id": "another"}, {"pid_namespace": "pid:[1]"}],
    ids=["machine", "container"],
)
def test_a_kernel_elsewhere_is_foreign_and_not_stale(
    tmp_path: Path, values: dict[str, str]
) -> None:
    record = make_record(tmp_path, machine=replace(Machine.this(), **values))

    assert is_foreign(record)
    assert not is_stale(record)


@linux
def test_a_machine_that_was_renamed_is_the_same(tmp_path: Path) -> None:
    record = make_record(tmp_path, machine=replace(Machine.this(), host="another"))

    assert not is_foreign(record)
    assert is_stale(record)


def test_pruning_removes_what_a_kernel_left(tmp_path: Path) -> None:
    record = make_record(tmp_path)
    pruned = prune(tmp_path)

    assert pruned == [record]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "values",
    [
        {"process": SELF},
        {"owner": SELF},
        {"machine": replace(Machine.this(), host="another", boot_id="another")},
    ],
    ids=["runs", "its owner runs", "foreign"],
)
def test_pruning_leaves_what_is_not_stale_or_has_an_owner(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    make_record(tmp_path, **values)
    pruned = prune(tmp_path)

    assert pruned == []
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can write for another user"
)
def test_pruning_leaves_the_records_of_other_users(tmp_path: Path) -> None:
    make_record(tmp_path)
    os.chown(record_path("a", tmp_path), 12345, -1)
    pruned = prune(tmp_path)

    assert pruned == []
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can write for another user"
)
def test_the_record_of_another_user_is_not_believed(tmp_path: Path) -> None:
    make_record(tmp_path)
    os.chown(record_path("a", tmp_path), 12345, -1)
    found = find_records(tmp_path)

    assert found.records == ()
    assert "belongs to the user 12345" in found.unreadable[0].reason


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_record_that_others_may_write_to_is_neither_believed_nor_pruned(
    mode: int, tmp_path: Path
) -> None:
    make_record(tmp_path)
    record = make_record(tmp_path, "b")
    os.chmod(record_path("a", tmp_path), mode)
    found = find_records(tmp_path)
    pruned = prune(tmp_path)

    assert found.records == (record,)
    assert "others may write to it" in found.unreadable[0].reason
    assert pruned == [record]
    assert len(os.listdir(tmp_path)) == 3


def test_pruning_ends_no_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        start_time = ProcessIdentity.of(process.pid).start_time
        reused = ProcessIdentity(process.pid, (start_time or 0) - 1)
        make_record(tmp_path, process=reused)
        prune(tmp_path)
        state = process.poll()
        process.communicate(b"\n")

    assert state is None
    assert process.returncode == 0


def test_pruning_removes_a_directory_of_sockets_wherever_it_is(tmp_path: Path) -> None:
    sockets, records = tmp_path / "ipc", tmp_path / "records"
    sockets.mkdir()
    records.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(sockets / "k-1"))
    make_record(records, files=(str(sockets),))
    prune(records)

    assert not sockets.exists()


@pytest.mark.parametrize("with_socket", [True, False])
def test_pruning_removes_nothing_else_outside_of_the_directory(
    tmp_path: Path, with_socket: bool
) -> None:
    elsewhere, records = tmp_path / "elsewhere", tmp_path / "records"
    elsewhere.mkdir()
    records.mkdir()
    (elsewhere / "thesis").touch()
    if with_socket:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(elsewhere / "k-1"))
    make_record(
        records,
        files=(str(elsewhere), str(elsewhere / "thesis"), str(records / ".." / "elsewhere")),
    )
    before = os.listdir(elsewhere)
    prune(records)

    assert os.listdir(elsewhere) == before


def test_pruning_finds_the_files_behind_a_link_to_the_directory(tmp_path: Path) -> None:
    records = tmp_path / "records"
    records.mkdir()
    (tmp_path / "link").symlink_to(records)
    make_record(records)
    prune(tmp_path / "link")

    assert os.listdir(records) == []


def test_jupyters_programs_do_not_take_a_record_or_a_log_for_the_connection_file(
    tmp_path: Path,
) -> None:
    from jupyter_client.connect import find_connection_file

    make_record(tmp_path, "abcd")
    found: Callable[..., str] = find_connection_file

    assert found("bc", path=[str(tmp_path)]) == str(tmp_path / "kernel-abcd.json")
    assert found(path=[str(tmp_path)]) == str(tmp_path / "kernel-abcd.json")
