from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from kernel_mgmt.exceptions import KernelSpecError, NoSuchKernelError
from kernel_mgmt.kernelspecs import KernelSpecFinder

GOOD: dict[str, Any] = {"argv": ["prog", "{connection_file}"], "display_name": "G", "language": "g"}


def write(folder: Path, content: object = GOOD, *, age: float = 60) -> Path:
    """Write a kernelspec that looks ``age`` seconds old."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kernel.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    modified = path.stat().st_mtime - age
    os.utime(path, (modified, modified))
    return path


def names(finder: KernelSpecFinder) -> list[str]:
    return [spec.name for spec in finder.find()]


def titles(finder: KernelSpecFinder) -> dict[str, str]:
    return {spec.name: spec.display_name for spec in finder.find()}


def link_into_a_loop(folder: Path) -> None:
    folder.symlink_to(folder.name)


def link_the_file_into_a_loop(folder: Path) -> None:
    folder.mkdir()
    (folder / "kernel.json").symlink_to("kernel.json")


def link_to_nowhere(folder: Path) -> None:
    folder.symlink_to("gone")


def make_a_pipe(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(folder / "kernel.json")


def make_a_folder(folder: Path) -> None:
    (folder / "kernel.json").mkdir(parents=True)


def link_to_a_device(folder: Path) -> None:
    folder.mkdir()
    (folder / "kernel.json").symlink_to("/dev/zero")


def make_it_huge(folder: Path) -> None:
    os.truncate(write(folder), 100_000_000)


BROKEN: dict[str, tuple[bytes | Callable[[Path], None], str]] = {
    "empty": (b"", "not JSON"),
    "not JSON": (b"argv = cat", "not JSON"),
    "two values": (b"{} {}", "not JSON"),
    "a list": (b"[1]", "a list"),
    "null": (b"null", "null"),
    "a string": (b'"argv"', "a string"),
    "a number": (b"NaN", "null"),
    "bad UTF-8": (b'{"argv": ["\xff"]}', "UTF-8"),
    "UTF-16": (json.dumps(GOOD).encode("utf-16"), "UTF-8"),
    "no argv": (b"{}", "argv is missing"),
    "argv null": (b'{"argv": null}', "argv is null"),
    "argv a string": (b'{"argv": "cat"}', "argv is a string"),
    "argv empty": (b'{"argv": []}', "argv is empty"),
    "argv with a number": (b'{"argv": ["cat", 1]}', "argv has a number"),
    "argv with NaN": (b'{"argv": ["cat", NaN]}', "argv has null"),
    "argv with a null character": (b'{"argv": ["c\\u0000t"]}', "null character"),
    "nested deeply": (b'{"argv": ' + b"[" * 100_000, "nested"),
    "an integer without end": (b'{"argv": ' + b"1" * 10_000 + b"}", "JSON"),
    "100 MB": (make_it_huge, "larger"),
    "a pipe": (make_a_pipe, "regular file"),
    "a folder": (make_a_folder, "regular file"),
    "a device": (link_to_a_device, "regular file"),
    "a loop of links": (link_into_a_loop, "symbolic links"),
    "a file that is a loop of links": (link_the_file_into_a_loop, "symbolic links"),
    "a link to nowhere": (link_to_nowhere, "leads nowhere"),
}


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A directory with a broken kernelspec between two good ones, and what is wrong with it."""
    make, reason = BROKEN[request.param]
    if callable(make):
        make(tmp_path / "broken")
    else:
        write(tmp_path / "broken", make)
    write(tmp_path / "aaa")
    write(tmp_path / "zzz")
    return tmp_path, reason


def test_a_broken_kernelspec_hides_no_other_and_is_reported(broken: tuple[Path, str]) -> None:
    directory, reason = broken
    finder = KernelSpecFinder([directory], provider="mine")

    for _ in range(2):
        assert names(finder) == ["aaa", "zzz"]
        (problem,) = finder.problems
        assert (problem.provider, problem.name) == ("mine", "broken")
        assert problem.path == str(directory / "broken" / "kernel.json")
        assert reason in problem.reason


def test_a_broken_kernelspec_raises_when_it_is_asked_for(broken: tuple[Path, str]) -> None:
    directory, reason = broken
    finder = KernelSpecFinder([directory])

    for _ in range(2):
        with pytest.raises(KernelSpecError, match=reason) as caught:
            finder.get("broken")
        assert caught.value.path == str(directory / "broken" / "kernel.json")


def test_a_kernelspec_that_must_not_be_read_is_reported() -> None:
    # Not below pytest's own directory, where nobody but its owner has access.
    with TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        write(Path(name, "good"))
        path = write(Path(name, "secret"))
        path.chmod(0)
        finder = KernelSpecFinder([name])
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            before = names(finder)
            problems = finder.problems
        finally:
            os.seteuid(user)
        path.chmod(0o644)

        assert before == ["good"]
        assert [(p.name, p.reason) for p in problems] == [
            ("secret", "it cannot be read: Permission denied")
        ]
        assert names(finder) == ["good", "secret"]


def test_a_search_directory_that_cannot_be_searched_is_reported(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    write(tmp_path / "kernels" / "good")
    finder = KernelSpecFinder([tmp_path / "loop", tmp_path / "kernels"])

    assert names(finder) == ["good"]
    assert [problem.path for problem in finder.problems] == [str(tmp_path / "loop")]


def test_what_is_no_kernelspec_is_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / "README").touch()
    (tmp_path / "empty").mkdir()
    write(tmp_path / ".hidden")
    finder = KernelSpecFinder([tmp_path, tmp_path / "missing", tmp_path / "README"])

    assert names(finder) == []
    assert finder.problems == ()


# The last one is the sign of the kelvin, whose lower case is the letter k.
@pytest.mark.parametrize("name", ["has space", "café", "a,b", "\N{KELVIN SIGN}"])
def test_an_invalid_name_is_reported_and_not_listed(tmp_path: Path, name: str) -> None:
    write(tmp_path / "k")
    write(tmp_path / name)
    finder = KernelSpecFinder([tmp_path])

    assert names(finder) == ["k"]
    assert [problem.name for problem in finder.problems] == [name]
    with pytest.raises(KernelSpecError, match="letters"):
        finder.get(name)


def test_names_compare_without_case(tmp_path: Path) -> None:
    write(tmp_path / "Python3.11_A-b")
    finder = KernelSpecFinder([tmp_path])

    assert names(finder) == ["python3.11_a-b"]
    assert finder.get("PYTHON3.11_a-B").name == "python3.11_a-b"
    assert finder.problems == ()


def test_of_names_that_differ_by_case_the_lower_case_one_is_used(tmp_path: Path) -> None:
    for name in ("IR", "ir", "Ir"):
        write(tmp_path / name, GOOD | {"display_name": name})
    finder = KernelSpecFinder([tmp_path])

    assert titles(finder) == {"ir": "ir"}
    assert finder.get("IR").display_name == "ir"
    assert sorted(problem.path or "" for problem in finder.problems) == [
        str(tmp_path / name / "kernel.json") for name in ("IR", "Ir")
    ]


def test_the_first_directory_that_has_a_name_has_precedence(tmp_path: Path) -> None:
    write(tmp_path / "first" / "Both", GOOD | {"display_name": "first"})
    write(tmp_path / "second" / "both", GOOD | {"display_name": "second"})
    write(tmp_path / "second" / "single", GOOD | {"display_name": "second"})
    finder = KernelSpecFinder([tmp_path / "first", tmp_path / "second"])

    assert titles(finder) == {"both": "first", "single": "second"}
    assert finder.get("both").display_name == "first"
    assert finder.get("single").display_name == "second"
    assert finder.problems == ()


def test_all_folders_of_a_name_are_told_in_order_of_precedence(tmp_path: Path) -> None:
    first = write(tmp_path / "first" / "python3", "broken")
    second = write(tmp_path / "second" / "Python3")
    write(tmp_path / "second" / "other")
    finder = KernelSpecFinder([tmp_path / "first", tmp_path / "second"])

    assert finder.locate_all("PYTHON3") == [str(first.parent), str(second.parent)]
    assert finder.locate_all("nothing") == []
    assert finder.locate_all("../first/python3") == []


def test_a_kernelspec_that_cannot_be_used_keeps_its_precedence(tmp_path: Path) -> None:
    write(tmp_path / "first" / "both", b"{}")
    write(tmp_path / "second" / "both")
    finder = KernelSpecFinder([tmp_path / "first", tmp_path / "second"])

    assert names(finder) == []
    with pytest.raises(KernelSpecError, match="first"):
        finder.get("both")


@pytest.mark.parametrize("make", [link_to_nowhere, make_a_folder, link_into_a_loop])
def test_what_is_not_even_a_file_has_no_precedence(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "first").mkdir()
    make(tmp_path / "first" / "both")
    write(tmp_path / "second" / "both")
    finder = KernelSpecFinder([tmp_path / "first", tmp_path / "second"])

    assert finder.get("both").resource_dir == str(tmp_path / "second" / "both")
    assert names(finder) == ["both"]
    assert len(finder.problems) == 1


def test_an_unknown_name_is_told_with_the_names_that_there_are(tmp_path: Path) -> None:
    write(tmp_path / "python3")
    write(tmp_path / "broken", b"")
    finder = KernelSpecFinder([tmp_path])

    with pytest.raises(NoSuchKernelError, match="did you mean 'python3'") as caught:
        finder.get("pyton3")

    assert caught.value.known == ("python3",)


@pytest.mark.parametrize("name", ["", ".", "..", "../outside", "a/b", "a\0b", "/", ".hidden"])
def test_a_name_never_leads_out_of_the_search_path(tmp_path: Path, name: str) -> None:
    for folder in ("outside", "kernels/a/b", "kernels/.hidden"):
        write(tmp_path / folder)
    write(tmp_path)
    finder = KernelSpecFinder([tmp_path / "kernels"])

    with pytest.raises(NoSuchKernelError):
        finder.get(name)


@pytest.mark.parametrize("age", [0, 60], ids=["just now", "a minute ago"])
def test_a_change_is_seen_at_once(tmp_path: Path, age: float) -> None:
    write(tmp_path / "a", GOOD | {"display_name": "old"}, age=age)
    finder = KernelSpecFinder([tmp_path])
    before = titles(finder), finder.get("a").display_name

    write(tmp_path / "a", GOOD | {"display_name": "new"}, age=0)

    assert before == ({"a": "old"}, "old")
    assert finder.get("a").display_name == "new"
    assert titles(finder) == {"a": "new"}


@pytest.mark.parametrize("tick", [1, 1_000_000_000], ids=["fine", "whole seconds"])
def test_a_change_within_one_tick_of_the_clock_is_seen_at_once(tmp_path: Path, tick: int) -> None:
    path = write(tmp_path / "a", GOOD | {"display_name": "old"}, age=0)
    modified = time.time_ns() // tick * tick
    os.utime(path, ns=(modified, modified))
    finder = KernelSpecFinder([tmp_path])
    before = titles(finder)

    write(tmp_path / "a", GOOD | {"display_name": "new"}, age=0)
    os.utime(path, ns=(modified, modified))

    assert before == {"a": "old"}
    assert finder.get("a").display_name == "new"
    assert titles(finder) == {"a": "new"}


def test_what_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path / "a")
    finder = KernelSpecFinder([tmp_path])
    (first,) = finder.find()

    (again,) = finder.find()

    assert again is first
    assert finder.get("a") is first


def test_a_broken_kernelspec_that_is_mended_is_seen_at_once(tmp_path: Path) -> None:
    write(tmp_path / "a", b"[")
    finder = KernelSpecFinder([tmp_path])
    assert names(finder) == []

    write(tmp_path / "a", age=0)

    assert finder.get("a").name == "a"
    assert names(finder) == ["a"]
    assert finder.problems == ()


@pytest.mark.parametrize("name", ["b", "B"])
def test_what_is_added_and_removed_is_seen_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "first").mkdir()
    write(tmp_path / "second" / "b", GOOD | {"display_name": "second"})
    finder = KernelSpecFinder([tmp_path / "first", tmp_path / "second"])
    seen = [(finder.get("b").display_name, titles(finder))]

    path = write(tmp_path / "first" / name, GOOD | {"display_name": "first"})
    seen.append((finder.get("b").display_name, titles(finder)))
    path.unlink()
    seen.append((finder.get("b").display_name, titles(finder)))
    write(tmp_path / "first" / name, GOOD | {"display_name": "again"})
    seen.append((finder.get("b").display_name, titles(finder)))

    assert seen == [(title, {"b": title}) for title in ("second", "first", "second", "again")]


def test_a_directory_that_has_not_changed_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    list_directory = os.listdir

    def note_and_list(path: str) -> list[str]:
        listed.append(path)
        return list_directory(path)

    write(tmp_path / "first" / "other")
    write(tmp_path / "second" / "b")
    for path in ("first", "second"):
        os.utime(tmp_path / path, (1, 1))
    finder = KernelSpecFinder([tmp_path / "first", tmp_path / "second"])
    monkeypatch.setattr(os, "listdir", note_and_list)

    for _ in range(3):
        assert names(finder) == ["other", "b"]
        assert finder.get("b").name == "b"

    assert listed == [str(tmp_path / "first"), str(tmp_path / "second")]


def test_a_kernelspec_is_seen_though_its_directory_claims_to_be_as_before(tmp_path: Path) -> None:
    write(tmp_path / "a")
    os.utime(tmp_path, (1, 1))
    finder = KernelSpecFinder([tmp_path])
    before = names(finder)

    write(tmp_path / "b")
    os.utime(tmp_path, (1, 1))

    assert before == ["a"]
    assert finder.get("b").name == "b"
    assert names(finder) == ["a", "b"]


def test_a_name_with_capitals_is_found_again(tmp_path: Path) -> None:
    write(tmp_path / "Capital")
    os.utime(tmp_path, (1, 1))
    finder = KernelSpecFinder([tmp_path])

    found = [finder.get("capital").name for _ in range(3)]

    assert found == ["capital"] * 3


def test_another_file_makes_another_kind_of_kernelspec(tmp_path: Path) -> None:
    write(tmp_path / "local")
    write(tmp_path / "remote").rename(tmp_path / "remote" / "k8s_kernel.json")

    assert names(KernelSpecFinder([tmp_path])) == ["local"]
    assert names(KernelSpecFinder([tmp_path], kernel_file="k8s_kernel.json")) == ["remote"]


def test_the_search_path_is_jupyters_if_none_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path / "kernels" / "mine")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))

    assert KernelSpecFinder().get("mine").resource_dir == str(tmp_path / "kernels" / "mine")
