"""The command ``kernel-mgmt run`` with scripts and code."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from kernel_mgmt.cli._source import read_argument
from tests.conftest import left_behind

from .conftest import PROGRAM, Run, Terminal

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = f"from IPython.display import Image; import base64; Image(base64.b64decode('{PNG}'))"
PLAIN = "{'text/plain': 'six'}, raw=True"
ASLEEP = "import time; print('asleep', flush=True); time.sleep(600)"


def test_what_the_code_prints_and_its_result_go_to_stdout(run: Run, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    code = "import os; os.write(2, b'noise'); print(os.environ['WORD'], os.path.basename(os.getcwd())); 6 * 7"
    result = run("run", "python3", "--env", "WORD=six", "--cwd", "place", "-c", code)

    assert (result.stdout, result.stderr, result.returncode) == ("six place\n42\n", "", 0)


def test_files_share_a_kernel_until_one_raises_which_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("x = 'shared'\n", encoding="utf-8")
    (tmp_path / "two.py").write_text("print(x)\n\nraise ValueError('bad')\n", encoding="utf-8")
    (tmp_path / "three.py").write_text("print('never')\n", encoding="utf-8")

    result = run("run", "python3", "one.py", "two.py", "three.py")

    assert (result.stdout, result.returncode) == ("shared\n", 1)
    assert result.stderr.startswith("------")
    assert result.stderr.endswith("\nValueError: bad\nError: two.py has failed\n")
    assert "\x1b" not in result.stderr


def test_code_of_stdin_cannot_ask_for_a_line_of_it(run: Run) -> None:
    result = run("run", "python3", "-", stdin="print('begun')\ninput()\n")

    assert (result.stdout, result.returncode) == ("begun\n", 1)
    assert "StdinNotImplementedError" in result.stderr


def test_code_cannot_ask_where_that_is_forbidden(run: Run) -> None:
    result = run("--no-input", "run", "python3", "-c", "input()", stdin="Ada\n")

    assert "StdinNotImplementedError" in result.stderr
    assert (result.stdout, result.returncode) == ("", 1)


def test_other_code_reads_lines_of_stdin(run: Run) -> None:
    code = "print(input('? '), input('? '))\ntry: input()\nexcept EOFError: print('end')"
    result = run("run", "python3", "-c", code, stdin="Ada\r\nLovelace")

    assert (result.stdout, result.stderr) == ("Ada Lovelace\nend\n", "")


def test_a_script_that_exits_as_one_should_has_not_raised(run: Run) -> None:
    result = run("run", "python3", "-c", "import sys; print('done'); sys.exit(0)")

    assert (result.stdout, result.stderr, result.returncode) == ("done\n", "", 0)


def test_an_image_is_saved_where_it_is_asked_for_and_replaces_none(
    run: Run, tmp_path: Path
) -> None:
    directory = tmp_path / "images"
    directory.mkdir()
    (directory / "1.png").write_text("another", encoding="utf-8")
    result = run("run", "python3", "--images", "images", "-c", IMAGE)

    assert result.stdout == "<IPython.core.display.Image object>\n"
    assert result.stderr == "Saved image/png: images/2.png\n"
    assert (directory / "2.png").read_bytes().startswith(b"\x89PNG")
    assert (directory / "1.png").read_text(encoding="utf-8") == "another"


def test_json_has_the_outputs_of_a_notebook_cell(run: Run) -> None:
    result = run("run", "python3", "--json", "-c", f"print('a')\nprint('b')\ndisplay({PLAIN})\n1/0")

    told = json.loads(result.stdout)
    assert (told["status"], told["execution_count"], result.returncode) == ("error", 1, 1)
    stream, display, error = told["outputs"]
    assert stream == {"output_type": "stream", "name": "stdout", "text": "a\nb\n"}
    assert display["data"] == {"text/plain": "six"}
    assert (error["output_type"], error["ename"]) == ("error", "ZeroDivisionError")
    assert result.stderr == ""


def test_a_kernel_that_dies_is_told_with_its_last_lines(run: Run) -> None:
    code = "import os; os.write(2, b'last words'); os._exit(3)"
    result = run("run", "python3", "-c", code)

    assert (result.stdout, result.returncode) == ("", 1)
    assert "The kernel has died (exit code 3)" in result.stderr
    assert "last words" in result.stderr
    assert "Traceback" not in result.stderr


def test_time_that_is_up_ends_the_kernel(run: Run, tmp_path: Path) -> None:
    runtime = str(tmp_path / "runtime")
    result = run("run", "python3", "--timeout", "1", "-c", ASLEEP, JUPYTER_RUNTIME_DIR=runtime)

    assert (result.stdout, result.returncode) == ("asleep\n", 5)
    assert "not done within 1 s" in result.stderr
    assert left_behind(tmp_path / "runtime") == []


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["no-such-kernel", "-c", "1"], 3, "There is no kernel type 'spec/no-such-kernel'"),
        (["python3"], 2, "Give files to run"),
        (["python3", "a.py", "-c", "1"], 2, "Give files to run"),
        (["python3", "missing.py"], 2, "missing.py cannot be read: No such file"),
        (["python3", "--output", "x.ipynb", "-c", "1"], 2, "--output is for one notebook"),
        (["-", "python3"], 2, "Name the kernel before what it is to run"),
        (["python3", "-c", "\udcff"], 2, "The code is no text of its encoding"),
    ],
)
def test_what_cannot_be_run_is_told(run: Run, arguments: list[str], status: int, told: str) -> None:
    result = run("run", *arguments)

    assert told in result.stderr
    assert (result.returncode, result.stdout) == (status, "")


def test_code_is_utf_8_where_the_locale_does_not_say_so() -> None:
    as_read_in_ascii = "caf\udcc3\udca9"

    assert read_argument(as_read_in_ascii).code == read_argument("café").code == "café"


def test_a_kernel_that_does_not_start_is_told_with_its_argv_and_output(
    run: Run, tmp_path: Path
) -> None:
    directory = tmp_path / "kernels" / "broken"
    directory.mkdir(parents=True)
    code = "import sys; print('nothing but words'); sys.exit(7)"
    argv = [sys.executable, "-c", code, "{connection_file}"]
    spec = {"argv": argv, "display_name": "Broken", "language": "none"}
    (directory / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    result = run("run", "broken", "-c", "1", JUPYTER_PATH=str(tmp_path))

    assert result.returncode == 4
    assert "ended before it was ready (exit code 7)" in result.stderr
    assert "sys.exit(7)" in result.stderr
    assert "nothing but words" in result.stderr


def test_output_comes_through_a_pipe_as_it_is_made_and_its_end_ends_the_kernel(
    tmp_path: Path,
) -> None:
    code = "import time\nfor i in range(600): print(i, flush=True); time.sleep(0.1)"
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    command = [str(PROGRAM), "run", "python3", "-c", code]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
        status = process.wait(60)

    assert (first, told, status) == ("0\n", "", 0)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGKILL])
def test_no_kernel_outlives_a_command_that_is_ended(tmp_path: Path, signum: int) -> None:
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    command = [str(PROGRAM), "run", "python3", "-c", ASLEEP]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signum)
        status = process.wait(60)

    assert status == -signum
    assert left_behind(tmp_path) == []


def test_ctrl_c_interrupts_the_code(terminal: Terminal) -> None:
    child = terminal("run", "python3", "-c", ASLEEP, NO_COLOR="1")
    child.expect_exact("asleep")
    child.sendintr()

    child.expect_exact("\nKeyboardInterrupt")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    assert re.search(r"\x1b\[[\d;]*m", child.before or "") is None


def test_ctrl_c_twice_ends_a_kernel_that_goes_on(terminal: Terminal, tmp_path: Path) -> None:
    code = "import time\nprint('begun')\nwhile True:\n  try: time.sleep(600)\n"
    code += "  except KeyboardInterrupt: print('caught')"
    child = terminal("run", "python3", "-c", code, JUPYTER_RUNTIME_DIR=str(tmp_path / "runtime"))
    child.expect_exact("begun")
    child.sendintr()
    child.expect_exact("caught")
    child.sendintr()

    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130
    assert left_behind(tmp_path / "runtime") == []


def test_a_person_is_asked_at_the_terminal_and_passwords_are_not_shown(terminal: Terminal) -> None:
    code = (
        "from getpass import getpass; n = input('Name? '); p = getpass('Word? '); print(n, len(p))"
    )
    child = terminal("run", "python3", "-c", code)
    child.expect_exact("Name? ")
    child.sendline("Ada")
    child.expect_exact("Word? ")
    child.waitnoecho()
    child.sendline("secret")

    child.expect_exact("Ada 6")
    child.expect(pexpect.EOF)
    assert "secret" not in (child.before or "")
    child.wait()
    assert child.exitstatus == 0


def test_ctrl_c_while_a_person_is_asked_leaves_the_terminal_as_it_was(terminal: Terminal) -> None:
    child = terminal("run", "python3", "-c", "from getpass import getpass; getpass('Word? ')")
    child.expect_exact("Word? ")
    child.waitnoecho()
    child.sendintr()

    child.expect_exact("KeyboardInterrupt")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


def test_a_terminal_has_what_is_cleared_taken_back_and_tracebacks_in_colour(
    terminal: Terminal,
) -> None:
    code = "from IPython.display import clear_output; print('one\\ntwo')\n"
    child = terminal("run", "python3", "-c", code + "clear_output(wait=True); print('three'); 1/0")

    child.expect_exact("one\r\ntwo\r\n\x1b[2A\r\x1b[Jthree\r\n")
    child.expect("\x1b\\[[0-9;]*mZeroDivisionError")
    child.expect(pexpect.EOF)


@pytest.fixture(scope="module")
def bash_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory of Jupyter's with the kernelspec of bash."""
    prefix = tmp_path_factory.mktemp("bash")
    command = [sys.executable, "-m", "bash_kernel.install", "--prefix", str(prefix)]
    subprocess.run(command, check=True, capture_output=True)
    return str(prefix / "share" / "jupyter")


def test_bash_runs_a_script_whole_and_its_failure_counts(
    run: Run, tmp_path: Path, bash_path: str
) -> None:
    (tmp_path / "script.sh").write_text(
        "for word in one two; do\n  echo $word\ndone\nfalse\n", encoding="utf-8"
    )
    result = run("run", "bash", "script.sh", JUPYTER_PATH=bash_path)

    assert (result.stdout, result.stderr, result.returncode) == ("one\ntwo\n", "", 1)


def test_bash_is_interrupted_by_ctrl_c(terminal: Terminal, bash_path: str) -> None:
    child = terminal("run", "bash", "-c", "echo asleep; read -t 600", JUPYTER_PATH=bash_path)
    child.expect_exact("asleep")
    child.sendintr()

    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 130


@pytest.mark.skipif(shutil.which("R") is None, reason="R is not installed")
def test_r_shows_its_own_error_and_no_other(run: Run) -> None:
    result = run("run", "ir", "-c", 'cat("hi\\n"); stop("bad")')

    assert (result.stdout, result.returncode) == ("hi\n", 1)
    assert result.stderr.startswith("Error in eval(expr, envir, enclos): bad\n")
