"""What holds for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from kernel_mgmt.cli._main import run as run_here

from .conftest import PROGRAM, Run, Terminal
from .fake_kernelspec import write_fake_kernelspec
from .installed import write_kernelspec

# An interpreter that has not the module that is named first.
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Without(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == sys.argv[1]:
            raise ModuleNotFoundError("no module", name=name)

sys.meta_path.insert(0, Without())
from kernel_mgmt.cli import main
sys.exit(main(sys.argv[2:]))
"""


def shell(line: str, **keywords: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which ``$K`` is the program."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        env={"K": str(PROGRAM), **keywords},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_unknown_command_names_the_one_that_may_be_meant(run: Run) -> None:
    result = run("lst")

    assert "There is no command 'lst'; did you mean 'list'?" in result.stderr
    assert (result.returncode, result.stdout) == (2, "")


def test_an_unknown_option_names_the_one_that_may_be_meant(run: Run) -> None:
    result = run("list", "--reflesh")

    assert "Did you mean '--refresh'?" in result.stderr
    assert (result.returncode, result.stdout) == (2, "")


def test_every_command_has_a_help_that_fits_a_line_in_the_list(run: Run) -> None:
    result = run("-h")

    _, _, commands = result.stdout.partition("Commands:\n")
    assert [line for line in commands.splitlines() if line.endswith("...")] == []
    for line in commands.splitlines():
        assert run_here([line.split()[0], "-h"]) == 0


@pytest.mark.parametrize(
    "command", ["list", "info", "run", "exec", "start", "ps", "prune", "doctor", "bench"]
)
def test_json_is_asked_for_by_the_same_options_everywhere(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    run_here([command, "-h"])

    told = capsys.readouterr().out
    assert "-o" in told
    assert "|json" in told
    assert "  --json  " in told
    assert "[default: " in told


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").stdout.startswith("kernel-mgmt, version ")


def test_the_help_is_shown_at_a_terminal(terminal: Terminal) -> None:
    child = terminal("--help")

    child.expect_exact("List the kernel types")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


@pytest.mark.parametrize("line", ["list", "list -o json", "list -h", "-h", "--version"])
def test_a_reader_that_has_seen_enough_is_no_error(line: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as stdout:
        result = subprocess.run(
            [PROGRAM, *line.split()], stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False
        )

    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    result = shell(f"$K list {closed}")

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "line", ["console <&-", "exec nobody - <&-", "run nonsense - <&-", "logs nobody >&-"]
)
def test_a_closed_stream_brings_up_no_error_of_python(line: str) -> None:
    result = shell(f"$K {line}")

    assert result.stderr.startswith("Error: ")
    assert result.returncode in {2, 3}


def test_talk_takes_no_stdout_in_place_of_a_closed_stderr() -> None:
    result = shell("$K info nonsense 2>&-")

    assert (result.returncode, result.stdout) == (3, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="elsewhere: there is no /dev/full")
def test_a_command_that_prints_nothing_needs_no_room_for_it() -> None:
    result = shell("$K info nonsense >/dev/full")

    assert (result.returncode, result.stdout) == (3, "")
    assert "No space left" not in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="elsewhere: there is no /dev/full")
def test_what_cannot_be_written_is_told_once() -> None:
    result = shell("$K list >/dev/full")

    assert result.returncode == 1
    assert result.stderr == "Error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_terminal_that_knows_ascii_alone_is_shown_the_rest_by_escapes(
    tmp_path: Path, output: str
) -> None:
    write_kernelspec(tmp_path, "mine", display_name="Grüße")

    result = shell(
        f"$K list -o {output}",
        LC_ALL="C",
        PYTHONIOENCODING="ascii",
        JUPYTER_PATH=str(tmp_path),
    )

    assert (r"Gr\u00fc\u00dfe" if output == "json" else r"Gr\xfc\xdfe") in result.stdout
    assert (result.returncode, result.stderr) == (0, "")


def test_a_runtime_directory_that_cannot_be_read_is_not_taken_for_an_empty_one(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "loop").symlink_to("loop")

    result = run("ps", JUPYTER_RUNTIME_DIR=str(tmp_path / "loop"))

    assert "Error: the records of kernels cannot be read: OSError" in result.stderr
    assert result.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="elsewhere: by a POSIX signal")
@pytest.mark.parametrize("module", ["click", "anyio"])
@pytest.mark.parametrize("source", ["{}", "class A:\n def __set_name__(*_): {}\nclass B: a = A()"])
def test_ctrl_c_while_modules_load_ends_it_without_a_traceback(
    run: Run, tmp_path: Path, module: str, source: str
) -> None:
    ctrl_c = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / f"{module}.py").write_text(source.format(ctrl_c))

    result = run("run", "nonsense", "-c", "1", PYTHONPATH=str(tmp_path))

    assert (result.returncode, result.stdout, result.stderr.strip()) == (130, "", "")


def test_what_kernel_mgmt_notes_is_told_if_asked_for(run: Run, tmp_path: Path) -> None:
    jupyter_path = write_fake_kernelspec(tmp_path)

    told, untold = (
        run(*options, "run", "fake", "-c", "pid", JUPYTER_PATH=jupyter_path)
        for options in (["--verbose"], [])
    )

    assert told.stderr.startswith("kernel_mgmt_subprocess._launcher: Kernel ")
    assert f" is process {told.stdout}" in told.stderr
    assert (told.returncode, untold.returncode, untold.stderr) == (0, 0, "")


def test_next_to_nothing_is_loaded_before_ctrl_c_is_minded() -> None:
    code = (
        "import sys; b = {*sys.modules}; import kernel_mgmt.cli; print(*sorted({*sys.modules} - b))"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert result.stdout.split() == ["__future__", "kernel_mgmt", "kernel_mgmt.cli"]


@pytest.mark.parametrize(
    ("missing", "line"), [("click", "list"), ("nbformat", "run python3 n.ipynb")]
)
def test_a_missing_extra_is_told_with_the_line_that_installs_it(
    tmp_path: Path, missing: str, line: str
) -> None:
    (tmp_path / "n.ipynb").write_text("{}")

    result = subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *line.split()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )

    assert result.stderr == f"kernel-mgmt needs {missing}: pip install 'kernel-mgmt[cli]'\n"
    assert (result.returncode, result.stdout) == (2, "")


@pytest.mark.parametrize(
    "line",
    [
        "run x -c 1 --timeout",
        "run x -c 1 --startup-timeout",
        "exec x 1 --timeout",
        "stop x --time",
        "wait x --timeout",
        "bench x --time-limit",
    ],
)
def test_a_time_is_a_number(capsys: pytest.CaptureFixture[str], line: str) -> None:
    status = run_here([*line.split(), "nan"])

    assert "'nan' is no time in seconds" in capsys.readouterr().err
    assert status == 2
