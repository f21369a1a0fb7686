"""The command ``kernel-mgmt bench``."""

from __future__ import annotations

import json
from pathlib import Path

import pexpect
import pytest

from kernel_mgmt.cli._bench._figures import Figures, print_figures

from .conftest import Run, Terminal
from .fake_kernelspec import write_fake_kernelspec

FIGURES = ["start", "first_reply", "round_trip", "execute", "messages", "text", "stop"]


def test_the_figures_of_a_real_kernel_are_a_table(run: Run) -> None:
    result = run("bench", "python3", "-n", "1")

    header, *rows = (line.split() for line in result.stdout.splitlines())
    assert header == ["FIGURE", "UNIT", "N", "P50", "P95", "BEST", "WORST"]
    assert [row[0] for row in rows] == FIGURES
    assert [row[2] for row in rows] == ["1", "1", "20", "20", "1", "1", "1"]
    assert all(float(value) > 0 for row in rows for value in row[3:])
    assert (result.returncode, result.stderr) == (0, "")


def test_json_has_each_figure_with_its_unit(run: Run, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, language="oblong")

    result = run("bench", "spec/fake", "-n", "2", "-o", "json", JUPYTER_PATH=jupyter_path)

    told = json.loads(result.stdout)
    assert (told["kernel"], told["transport"], list(told["figures"])) == (
        "spec/fake",
        "tcp",
        FIGURES,
    )
    assert told["figures"]["stop"].keys() == {"unit", "n", "p50", "p95", "best", "worst"}
    assert told["figures"]["stop"]["n"] == 2
    # There is no code to print much in that language.
    assert told["figures"]["text"] == {
        "unit": "MB/s",
        "n": 0,
        "p50": None,
        "p95": None,
        "best": None,
        "worst": None,
    }


def test_it_is_over_when_its_time_is(run: Run, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, "--slow-start", "600")

    result = run("bench", "fake", "--time-limit", "0.5", JUPYTER_PATH=jupyter_path)

    assert result.stderr == "The time limit of 0.5 s is over; this was measured so far\n"
    assert result.stdout.split() == ["FIGURE", "UNIT", "N", "P50", "P95", "BEST", "WORST"]
    assert result.returncode == 5


def test_ctrl_c_ends_it_with_what_was_measured(terminal: Terminal, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path)

    child = terminal("bench", "fake", "-n", "100000", JUPYTER_PATH=jupyter_path)
    child.expect_exact("Measuring spec/fake, for 60 s at most")
    child.sendintr()

    child.expect_exact("Interrupted; this was measured so far")
    child.expect_exact("FIGURE")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


@pytest.mark.parametrize(
    ("kernel", "status", "message"),
    [("oblong", 3, "There is no kernel type 'spec/oblong'"), ("fake", 4, "exit code 7")],
)
def test_a_kernel_that_cannot_be_measured_is_told(
    kernel: str, status: int, message: str, run: Run, tmp_path: Path
) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, "--exit-at-start", "7")

    result = run("bench", kernel, JUPYTER_PATH=jupyter_path)

    assert message in result.stderr
    assert (result.returncode, result.stdout) == (status, "")


def test_what_was_measured_before_the_kernel_ended_is_printed(run: Run, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path, "--exit-after", "5")

    result = run("bench", "fake", JUPYTER_PATH=jupyter_path)

    assert "The kernel has died (exit code 1)" in result.stderr
    assert result.stdout.splitlines()[1].startswith("start ")
    assert result.returncode == 1


def test_of_a_rate_much_is_good_and_of_a_time_little(capsys: pytest.CaptureFixture[str]) -> None:
    figures = Figures("spec/fake")
    for value in range(1, 102):
        figures.add("messages", value)
        figures.add("round_trip", value)

    print_figures(figures, "table")

    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["round_trip", "ms", "101", "51", "96", "1", "101"],
        ["messages", "1/s", "101", "51", "6", "101", "1"],
    ]
