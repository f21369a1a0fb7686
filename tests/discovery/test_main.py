"""The listing command, ``python -m kernel_mgmt.discovery``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from typing import Any

import pytest

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.discovery.__main__ import main
from kernel_mgmt.types import Problem

from .conftest import MakeProvider


def fail() -> Any:
    raise LookupError("no network")


def test_each_kernel_type_is_on_a_line(
    make_provider: MakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main([], KernelFinder([make_provider("a", "x", "y"), make_provider("b", "x")]))

    assert (status, *capsys.readouterr()) == (0, "a/x\na/y\nb/x\n", "")


def test_what_is_broken_is_told_on_stderr(
    make_provider: MakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    finder = KernelFinder([make_provider("bad", find_kernels=fail), make_provider("a", "x")])
    status = main([], finder)

    told = "bad: find_kernels raised LookupError: no network\n"
    assert (status, *capsys.readouterr()) == (0, "a/x\n", told)


def test_the_fix_of_what_is_broken_is_told(
    make_provider: MakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    main([], KernelFinder([make_provider("A B")]))

    assert "use only the characters" in capsys.readouterr().err


def test_the_status_tells_when_nothing_is_listed(
    make_provider: MakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([], KernelFinder([make_provider("a")])) == 1
    assert capsys.readouterr() == ("", "")


def test_without_any_provider_it_tells_how_to_install(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main([], KernelFinder.from_entrypoints([]))

    told = "no providers are installed; run pip install -e .\n"
    assert (status, *capsys.readouterr()) == (1, "", told)


def test_json_has_all_attributes(
    make_provider: MakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    finder = KernelFinder([make_provider("a", "x")])
    status = main(["--json"], finder)

    assert status == 0
    assert json.loads(capsys.readouterr().out) == dict(finder.find_kernels())


def test_json_leaves_out_what_cannot_be_written(
    make_provider: MakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    circular: dict[str, Any] = {}
    circular["self"] = circular
    kernels = {
        "bad": {"metadata": circular},
        "nan": {"metadata": {"x": float("nan")}},
        "odd": {"metadata": {(1, 2): 1, "set": {1}}},
    }
    status = main(["--json"], KernelFinder([make_provider("a", find_kernels=kernels.items)]))
    out, err = capsys.readouterr()

    assert status == 0
    assert {name: kernel["metadata"] for name, kernel in json.loads(out).items()} == {
        "a/odd": {"set": "{1}"}
    }
    bad, nan = err.splitlines()
    assert bad.startswith("a/bad: its attributes are not JSON: ValueError: Circular reference")
    assert nan.startswith("a/nan: its attributes are not JSON: ValueError: Out of range float")


def test_a_problem_is_on_one_line(
    make_provider: MakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    provider = make_provider("a", "x")
    problem = Problem("a", "it is broken", path="/bad\n\x1b[2J\udcff/kernel.json")
    type(provider).problems = (problem,)  # type: ignore[assignment]
    main([], KernelFinder([provider]))

    assert capsys.readouterr().err == "a (/bad\\n\\x1b[2J\\udcff/kernel.json): it is broken\n"


def test_a_name_that_the_encoding_lacks_is_listed_by_its_escapes(
    make_provider: MakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="ascii"))
    main([], KernelFinder([make_provider("a", "π")]))

    assert written.getvalue().split() == [b"a/\\u03c0"]


@pytest.mark.parametrize("option", [[], ["--json"], ["--help"]])
def test_a_reader_that_has_seen_enough_is_no_error(option: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kernel_mgmt.discovery", *option],
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=30,
            check=False,
        )
    finally:
        os.close(write)

    assert (done.returncode, done.stderr) == (0, b"")


def test_what_is_broken_is_not_told_on_stdout_if_stderr_is_closed(
    make_provider: MakeProvider,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    main([], KernelFinder([make_provider("bad", find_kernels=fail), make_provider("a", "x")]))

    assert capsys.readouterr().out == "a/x\n"


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_printed(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([option]) == 0
    assert capsys.readouterr().out.startswith("usage: python -m kernel_mgmt.discovery")


def test_an_unknown_argument_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--jsn", "--json", "x"])
    out, err = capsys.readouterr()

    assert (status, out) == (2, "")
    assert err.startswith("unknown arguments: --jsn x\n")


def test_the_module_runs_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "kernel_mgmt.discovery"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "pyimport/kernel" in done.stdout.splitlines()


def test_a_listing_loads_no_launcher_and_no_event_loop() -> None:
    code = (
        "import sys; from kernel_mgmt.discovery.__main__ import main; main([]);"
        "print([n for n in ('anyio', 'asyncio', 'zmq', 'kernel_mgmt_subprocess', 'msgspec')"
        " if n in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert result.stderr.splitlines()[-1] == "[]"
