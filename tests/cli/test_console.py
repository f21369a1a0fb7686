"""The command ``kernel-mgmt console``, as a person at a terminal uses it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from kernel_mgmt import BlockingKernelClient, LaunchOptions
from kernel_mgmt.start import start_kernel_blocking
from kernel_mgmt.testing.fake_kernel import fake_kernel_argv
from tests.conftest import left_behind

from .conftest import Run
from .screen import (
    ALT_ENTER,
    BACKTAB,
    COLUMNS,
    CTRL_C,
    CTRL_D,
    CTRL_R,
    ENTER,
    LINES,
    TAB,
    UP,
    Screen,
    console,
)

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernelClient]:
    """A kernel that runs under the name ``calculator``, and a client of its owner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        _, client = start_kernel_blocking(
            "spec/python3", options=LaunchOptions(name="calculator", env={"PYTHONSTARTUP": ""})
        )
        # The first completion would take seconds, for what is loaded then.
        client.execute("seen = 42; get_ipython().Completer.use_jedi = False")
        try:
            yield client
        finally:
            client.shutdown_or_terminate()
            client.close()


@pytest.fixture(scope="module")
def _long_lived(
    running: BlockingKernelClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Screen]:
    directory = tmp_path_factory.mktemp("console")
    env = {"JUPYTER_DATA_DIR": str(directory / "data"), "PAGER": "head -n 2"}
    with console("calculator", cwd=directory, **env) as screen:
        screen.see("calculator, attached", "In [2]:")
        yield screen


@pytest.fixture
def attached(_long_lived: Screen, request: pytest.FixtureRequest) -> Screen:
    """A console at the running kernel, at an empty prompt on a screen with nothing else."""
    name = request.node.name
    # Ctrl-L clears the screen.
    _long_lived.type(CTRL_C, "\x0c", f"'begin' + ' {name}'", ENTER)
    _long_lived.see(f"'begin {name}'")
    return _long_lived


def test_enter_runs_a_cell_of_several_lines_when_it_is_complete(attached: Screen) -> None:
    attached.type("for letter in 'xyz':", ENTER, "print(letter * 3)", ENTER, ENTER)

    seen = attached.see("xxx\nyyy\nzzz\n")
    assert re.search(r"   \.\.\.:     print\(letter \* 3\)\n", seen)


def test_what_is_pasted_waits_for_enter(attached: Screen) -> None:
    attached.type("\x1b[200~first = 6\nsecond = 7\nfirst * second\x1b[201~")
    seen = attached.see("first * second")
    attached.type(ENTER)

    assert "Out[" not in seen.rpartition("first = 6")[2]
    attached.see("]: 42")


def test_alt_enter_runs_a_cell_as_it_stands(attached: Screen) -> None:
    attached.type("print('as it'", ALT_ENTER)

    attached.see("SyntaxError")


def test_tab_completes_what_is_before_the_cursor(attached: Screen) -> None:
    attached.run("quite_a_name = 'found' + ' it'")
    attached.type("'ö'; quite_a_n", TAB)
    attached.see("]: 'ö'; quite_a_name")
    attached.type(ENTER)

    attached.see("'found it'")


def test_tab_offers_a_choice(attached: Screen) -> None:
    attached.run("one_way = 1; one_weight = 2")
    attached.type("one_w", TAB)

    attached.see(" one_way ", " one_weight ")


def test_tab_indents_at_the_beginning_of_a_line(attached: Screen) -> None:
    attached.type("if True:", ENTER, "\x15", TAB, "print('in' + 'dented')", ENTER, ENTER)

    attached.see("\nindented\n")


def test_shift_tab_tells_what_is_at_the_cursor(attached: Screen) -> None:
    attached.type("len", BACKTAB)

    attached.see("Return the number of items in a container", "]: len")


def test_a_page_longer_than_the_screen_goes_through_a_pager(attached: Screen) -> None:
    attached.run("def paged(): pass")
    attached.run(f"paged.__doc__ = chr(10).join('line %d' % n for n in range({LINES + 5}))")
    attached.run("paged?", "Signature:")
    seen = attached.run("'after' + 'wards'", "'afterwards'")

    assert "line 60" not in seen


def test_input_is_asked_for_at_the_end_of_what_is_printed(attached: Screen) -> None:
    attached.type("print('Your', end=' '); name = input('name? ')", ENTER)
    attached.see("\nYour name?")
    attached.type("Ada", ENTER)
    attached.see("\nYour name? Ada\n")

    attached.run("name.upper()", "'ADA'")


def test_a_password_is_not_shown(attached: Screen) -> None:
    attached.type("import getpass; secret = getpass.getpass('Secret: ')", ENTER)
    attached.see("\nSecret:")
    attached.type("hunter2", ENTER)
    attached.run("secret[::-1]", "'2retnuh'")

    assert "hunter2" not in attached.raw


def test_ctrl_c_interrupts_what_runs(attached: Screen) -> None:
    attached.type("print('be' + 'gun'); import time; time.sleep(600)", ENTER)
    attached.see("\nbegun")
    attached.type(CTRL_C)

    attached.see("KeyboardInterrupt")


def test_a_second_ctrl_c_asks_what_is_to_become_of_the_kernel(attached: Screen) -> None:
    attached.type("import time", ENTER, "for attempt in range(2):", ENTER)
    attached.type("try: print('attempt', 1 + attempt); time.sleep(600)", ENTER)
    # The last one is typed ahead, and answers nothing.
    attached.type("except KeyboardInterrupt: pass", ENTER, ENTER, ENTER)
    attached.see("\nattempt 1")
    attached.type(CTRL_C)
    attached.see("\nattempt 2", "goes on; Ctrl-C again")
    attached.type(CTRL_C)
    attached.see("Wait (w), or leave it (l)?")
    attached.type("w", ENTER)
    attached.see("leave it (l)? w")
    attached.type(CTRL_C)

    attached.run("'go' + 'es on'", "'goes on'")


def test_ctrl_c_interrupts_what_waits_for_input(attached: Screen) -> None:
    attached.type("input('never? ')", ENTER)
    attached.see("\nnever?")
    attached.type("half an answer", CTRL_C)

    attached.see("Interrupted by user")


def test_ctrl_c_at_the_prompt_drops_what_is_typed(attached: Screen) -> None:
    attached.type("1 / 0", CTRL_C, "'not' + ' divided'", ENTER)

    assert "ZeroDivisionError" not in attached.see("'not divided'")


def test_an_error_shows_the_traceback_of_the_kernel(attached: Screen) -> None:
    attached.run("1 / 0", "ZeroDivisionError: division by zero", "----> 1 1 / 0")

    assert re.search(r"\x1b\[[0-9;]*m.*ZeroDivisionError", attached.raw)


def test_the_next_cell_may_be_given_by_the_kernel(attached: Screen) -> None:
    attached.run("get_ipython().set_next_input('40 + ' + '3')", "]: 40 + 3")
    attached.type(ENTER)

    attached.see("]: 43")


def test_what_a_finished_cell_still_prints_is_shown_above_the_prompt(attached: Screen) -> None:
    attached.run("import threading; go = threading.Event()")
    attached.run("threading.Thread(target=lambda: (go.wait(), print('late' + 'comer'))).start()")
    attached.type("go.set()", ENTER, "typed")

    attached.see("\nlatecomer\n", "]: typed")


def test_a_command_of_the_console_is_no_code(attached: Screen) -> None:
    attached.run(":help", "Ctrl-R")
    attached.run(":restart", "kernel-mgmt restart does it")


def test_earlier_cells_come_back(attached: Screen) -> None:
    attached.run("'earl' + 'iest'", "'earliest'")
    attached.run("'lat' + 'est'", "'latest'")
    attached.type(UP, UP, ENTER)
    attached.see("'earliest'\n", "'latest'\n")
    attached.type(CTRL_R, "'lat'")
    attached.see("I-search")
    attached.type(ENTER, ENTER)

    attached.count("'latest'", 2)


def test_a_terminal_may_change_its_size(attached: Screen) -> None:
    attached.resize(20, 50)
    attached.run("'still' + ' there'", "'still there'")
    attached.resize(LINES, COLUMNS)


def test_leaving_leaves_a_kernel_that_was_there(
    running: BlockingKernelClient, tmp_path: Path
) -> None:
    with console("calculator", cwd=tmp_path) as screen:
        before = screen.settings()
        screen.see("In [")
        screen.run("left = seen; seen", ": 42")
        screen.type(CTRL_D)
        status = screen.end()

        assert "The kernel calculator goes on" in screen.text
        assert (status, screen.settings()) == (0, before)
    assert running.execute("assert left == 42").content["status"] == "ok"


def test_exit_does_not_end_a_kernel_that_was_there(
    running: BlockingKernelClient, tmp_path: Path
) -> None:
    # Nothing else is known of the kernel.
    file = tmp_path / "elsewhere.json"
    file.write_text(json.dumps(running.connection_info))
    with console("--existing", str(file), cwd=tmp_path) as screen:
        screen.see("In [")
        screen.type("import time; print('be' + 'gun'); time.sleep(600)", ENTER)
        screen.see("\nbegun")
        screen.type(CTRL_C)
        screen.see("KeyboardInterrupt")
        screen.run("exit")

        assert screen.end() == 0
    assert running.execute("seen").content["status"] == "ok"


def test_what_others_do_is_shown_if_that_is_wanted(
    running: BlockingKernelClient, tmp_path: Path
) -> None:
    with console("calculator", "--include-other-output", cwd=tmp_path) as screen:
        screen.see("In [")
        screen.type("half")
        screen.see("half")
        answer = running.execute_interactive(
            "print('ours'); input('who? ')", stdin_hook=lambda message: "their answer"
        )

        seen = screen.see("Out[", "'their answer'", "]: half")
        count = answer.content["execution_count"]
        assert f"[other] In [{count}]: print('ours'); input('who? ')\nours\n" in seen
        assert f"In [{count + 1}]: half" in screen.see(f"In [{count + 1}]: half")
        assert "who?" not in seen.partition("\nours\n")[2]


def test_a_console_ends_the_kernel_that_it_has_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    image = f"import base64, IPython.display as d; d.Image(base64.b64decode('{PNG}'))"
    with console("python3", cwd=tmp_path, TMPDIR=str(tmp_path)) as screen:
        before = screen.settings()
        screen.see("IPython", "spec/python3, started", "In [1]:")
        seen = screen.run(image, "Saved image/png: ", ".png").replace("\n", "")
        told = re.search(r"Saved image/png: (\S+?\.png)", seen)
        screen.run(":restart", "Restarting spec/python3")
        screen.run("remembered = 'for' + ' later'; remembered", "'for later'")
        screen.type(CTRL_D)

        assert (screen.end(), screen.settings()) == (0, before)
    assert left_behind(tmp_path / "runtime") == []
    assert told is not None
    assert Path(told[1]).read_bytes().startswith(b"\x89PNG")

    (history,) = (tmp_path / "data").glob("kernel-mgmt/*")
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    with console("pyimport/kernel", cwd=tmp_path) as screen:
        screen.see("In [1]:")
        screen.type(UP, ENTER)
        screen.see("'for later'")
        screen.run("import os; os.kill(os.getpid(), 9)", "The kernel has died (killed by SIGKILL)")
        screen.see("Start another (y), or leave (n)?")
        screen.type("n", ENTER)

        assert screen.end() == 1


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_the_kernel_of_a_console_that_is_ended_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: signal.Signals
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    kernel = tmp_path / "kernels" / "fake"
    kernel.mkdir(parents=True)
    spec = {"argv": fake_kernel_argv(), "display_name": "Fake", "language": "fake"}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    with console("fake", cwd=tmp_path, JUPYTER_PATH=str(tmp_path)) as screen:
        before = screen.settings()
        screen.see("In [1]:")
        screen.child.kill(signum)
        status = screen.end()

        assert status == (128 + signum if signum == signal.SIGTERM else None)
        # No program can do anything when it is killed.
        assert signum != signal.SIGTERM or screen.settings() == before
    until = monotonic() + 30
    while left_behind(tmp_path / "runtime"):
        assert monotonic() < until
        sleep(0.05)


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "env", [{"TERM": "dumb"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_a_poor_terminal_will_do(tmp_path: Path, env: dict[str, str]) -> None:
    with console("calculator", cwd=tmp_path, NO_COLOR="1", **env) as screen:
        screen.see("In [")
        screen.run("chr(120) * 5, ascii('ä')", "('xxxxx', \"'\\\\xe4'\")")
        screen.run("chr(0x3b1) + '!'", "!'")
        screen.run("1 / 0", "ZeroDivisionError: division by zero")
        screen.run("quit")

        assert screen.end() == 0
        assert not re.search(r"\x1b\[[0-9;]*[34][0-8][0-9;]*m", screen.raw)


def test_a_kernel_that_cannot_tell_whether_code_is_complete(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "bash_kernel.install", "--prefix", str(tmp_path)],
        check=True,
        capture_output=True,
        timeout=60,
    )
    with console("bash", cwd=tmp_path, JUPYTER_PATH=str(tmp_path / "share" / "jupyter")) as screen:
        screen.see("In [1]:")
        screen.run("echo $((6 * 7))", "\n42\n")
        screen.type("for letter in x y; do", ENTER, "echo $letter$letter", ENTER, "done", ENTER)
        screen.type(ENTER)
        screen.see("\nxx\nyy\n")
        screen.type(CTRL_D)

        assert screen.end() == 0


@pytest.mark.skipif(shutil.which("R") is None, reason="R is not installed")
def test_a_kernel_of_another_language(tmp_path: Path) -> None:
    argv = '["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]'
    kernel = tmp_path / "kernels" / "statistics"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(
        f'{{"argv": {argv}, "display_name": "R", "language": "R"}}', encoding="utf-8"
    )
    with console("statistics", cwd=tmp_path, JUPYTER_PATH=str(tmp_path)) as screen:
        screen.see("In [1]:")
        screen.type("double <- function(x) {", ENTER, "2 * x", ENTER, "}", ENTER)
        screen.run("double(21)", "[1] 42")
        screen.run("stop('as told')", "as told")
        screen.run("q()")

        assert screen.end() == 0


def test_without_a_terminal_it_names_what_to_use_instead(run: Run) -> None:
    result = run("console", "python3", stdin="1 + 1\n")

    assert "kernel-mgmt run" in result.stderr
    assert (result.returncode, result.stdout) == (2, "")
