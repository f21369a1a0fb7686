from __future__ import annotations

import json
import os
from pathlib import Path

import anyio
import pytest

from kernel_mgmt import KernelClient, find_connection_file, run_kernel_async
from kernel_mgmt.connection_files import read_connection_file


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for age, name in enumerate(["kernel-abc.json", "kernel-abd.json", "other.txt"]):
        path = tmp_path / name
        path.write_text("{}", encoding="utf-8")
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "kernel-abc.record.json").write_text("{}", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("kernel-*.json", "kernel-abc.json"),
        ("kernel-abd.json", "kernel-abd.json"),
        ("abd", "kernel-abd.json"),
        ("ab", "kernel-abc.json"),
        ("kernel-?bd*", "kernel-abd.json"),
    ],
)
def test_the_latest_file_that_fits_is_found(pattern: str, name: str, files: Path) -> None:
    assert find_connection_file(pattern, directory=files) == str(files / name)


def test_a_path_is_taken_as_it_is(files: Path) -> None:
    path = str(files / "other.txt")

    assert find_connection_file(path) == path


@pytest.mark.parametrize("directory", [".", "nowhere"])
def test_a_pattern_that_nothing_fits_is_told(directory: str, files: Path) -> None:
    with pytest.raises(FileNotFoundError, match="'xyz'"):
        find_connection_file("xyz", directory=files / directory)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        "[" * 100_000,
        '{"shell_port": 1, "key": 5}',
        '{"shell_port": 1, "signature_scheme": null}',
    ],
)
def test_a_file_that_is_no_connection_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kernel-1.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"kernel-1\.json is not a connection file"):
        read_connection_file(path)


def test_tcp_is_meant_where_no_transport_is_named(tmp_path: Path) -> None:
    path = tmp_path / "kernel-1.json"
    path.write_text(json.dumps({"shell_port": 1}), encoding="utf-8")

    assert read_connection_file(path) == {"shell_port": 1, "transport": "tcp"}


@pytest.mark.anyio
async def test_a_client_is_made_of_a_connection_file() -> None:
    with anyio.fail_after(30):
        async with run_kernel_async("pyimport/kernel") as owner:
            assert owner.manager is not None
            path = find_connection_file(owner.manager.kernel_id)
            async with KernelClient.from_connection_file(path, session="s", username="u") as client:
                await client.execute("a = 1")
                reply = await owner.execute("", user_expressions={"a": "a"})
                header = (await client.kernel_info()).parent_header

    assert reply.content["user_expressions"]["a"]["data"]["text/plain"] == "1"
    assert (header["session"], header["username"]) == ("s", "u")
