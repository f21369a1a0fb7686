"""The life of kernels that are not Python's, as a person at a terminal leads them through it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import pytest

from tests.conftest import left_behind

from .conftest import at_terminal

if sys.platform != "linux":
    pytest.skip("elsewhere: looks for processes in /proc", allow_module_level=True)

# More than any line of the command is long.
COLUMNS = 400


@dataclass(frozen=True)
class Language:
    """A kernel type, and code for it.

    :ivar remember: sets a variable, which ``recall`` prints as ``kept``
    :ivar failing: code that fails, with what the kernel says of it
    :ivar logging: writes ``logged`` to the stdout of the kernel's process, and nothing else
    :ivar waiting: prints ``begun`` and does nothing until it is interrupted
    :ivar deaf: prints ``begun`` and is busy for ever, which SIGINT does not end
    :ivar doctor: what some checks find
    """

    kernel: str
    remember: str
    recall: str
    failing: tuple[str, str]
    logging: str
    waiting: str
    deaf: str
    doctor: dict[str, tuple[str, str]]


BASH = Language(
    kernel="bash",
    remember="x=kept",
    recall="echo $x",
    failing=("no_such_command", "bash: no_such_command: command not found"),
    logging="echo logged >> /proc/$PPID/fd/1",
    # A program that it starts could be missed by SIGINT in the moment before.
    waiting="echo begun; read -t 600",
    deaf="trap '' INT; echo begun; while :; do :; done",
    doctor={
        "start": ("ok", r"ready after \d+\.\d s, over ipc"),
        "kernel-info": ("note", "lacks language_info.version; kernel_mgmt needs none of it"),
        "requests": ("ok", "answers complete, inspect, history, is_complete, comm_info"),
        "errors": ("ok", "an error is replied and published"),
        "results": ("note", r"the result comes as stream; Request\.outputs\(\) has it all .*"),
    },
)
R = Language(
    kernel="ir",
    remember="x <- 'kept'",
    recall="cat(x)",
    failing=("stop('on purpose')", "Error in eval(expr, envir, enclos): on purpose"),
    logging="invisible(system('echo logged'))",
    waiting="cat('begun\\n'); flush.console(); while (TRUE) {}",
    deaf=(
        "tryCatch({cat('begun\\n'); flush.console(); while (TRUE) {}}, "
        "interrupt = function(condition) while (TRUE) {})"
    ),
    doctor={
        "start": ("ok", r"ready after \d+\.\d s, over ipc"),
        "iopub-welcome": ("note", "sends no iopub_welcome; kernel_mgmt asks for kernel_info .*"),
        "kernel-info": ("note", "lacks supported_features; kernel_mgmt needs none of it"),
        "results": ("note", r"the result comes as display_data; Request\.outputs\(\) .*"),
        "stdin": ("note", "asks for input though it is told that nobody can be asked; .*"),
        "signature": ("note", r"ends \(exit code 1\) when a message has a wrong signature; .*"),
    },
)
LANGUAGES = [
    pytest.param(BASH, id="bash"),
    pytest.param(
        R,
        id="R",
        marks=pytest.mark.skipif(shutil.which("R") is None, reason="R is not installed"),
    ),
]


@dataclass
class Desk:
    """Terminals at which commands are typed, in a runtime directory that no other test sees."""

    directory: Path
    language: Language
    terminals: list[pexpect.spawn[str]] = field(default_factory=list["pexpect.spawn[str]"])

    @property
    def runtime_dir(self) -> Path:
        return self.directory / "runtime"

    def type(self, *arguments: str) -> pexpect.spawn[str]:
        """Run a command at a terminal, and leave it to itself."""
        env = {
            "JUPYTER_RUNTIME_DIR": str(self.runtime_dir),
            "JUPYTER_PATH": str(self.directory / "share" / "jupyter"),
            "NO_COLOR": "1",
        }
        self.terminals.append(at_terminal(arguments, self.directory, env, columns=COLUMNS))
        return self.terminals[-1]

    def see(self, *arguments: str) -> tuple[int | None, str]:
        """Run a command to its end; return its exit status, and what it has shown."""
        return end_of(self.type(*arguments))

    def listed(self, *arguments: str) -> list[str]:
        """The kernels that ``ps`` lists: of each its name, its kernel type, its state and its pid."""
        _, shown = self.see("ps", *arguments)
        rows = [line.split() for line in shown.splitlines()[1:]]
        return [" ".join((*row[1:4], row[-1])) for row in rows]


def end_of(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    """The exit status of a command, and what it has shown that has not been seen yet."""
    child.expect(pexpect.EOF)
    child.wait()
    # What shows that it goes on is taken away in the end.
    shown = re.sub(r"(\r[-|/\\] [^\r]*)+\r\x1b\[K", "", child.before or "")
    return child.exitstatus, shown.replace("\r\n", "\n")


@pytest.fixture(scope="module", params=LANGUAGES)
def desk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """A desk with a kernel that is called ``work``; nothing of it is left after the tests."""
    language: Language = request.param
    desk = Desk(tmp_path_factory.mktemp(language.kernel), language)
    desk.runtime_dir.mkdir(mode=0o700)
    if language is BASH:
        command = [sys.executable, "-m", "bash_kernel.install", "--prefix", str(desk.directory)]
        subprocess.run(command, check=True, capture_output=True)
    status, kernel_id = desk.see("start", "--detach", "--name", "work", language.kernel)
    assert (status, len(kernel_id.strip())) == (0, 36), kernel_id

    yield desk
    for child in desk.terminals:
        child.close(force=True)
    desk.see("kill", "--all")
    assert left_behind(desk.runtime_dir) == []


def test_it_is_listed_and_described(desk: Desk) -> None:
    (kernel,) = desk.listed()
    status, shown = desk.see("info", desk.language.kernel)

    assert re.fullmatch(rf"work spec/{desk.language.kernel} idle \d+", kernel)
    assert (status, "Interrupt    signal" in shown) == (0, True)


def test_one_command_leaves_what_another_finds(desk: Desk) -> None:
    first = desk.see("exec", "work", desk.language.remember)
    second = desk.see("exec", "work", desk.language.recall)

    assert (first, second[0], second[1].rstrip("\n")) == ((0, ""), 0, "kept")


def test_code_that_fails_is_told_in_the_kernels_words_alone(desk: Desk) -> None:
    code, words = desk.language.failing
    status, shown = desk.see("exec", "work", code)

    assert (status, shown.startswith(f"{words}\n")) == (1, True), shown
    assert "kernel_mgmt" not in shown


def test_the_log_is_followed_at_another_terminal_until_ctrl_c(desk: Desk) -> None:
    follower = desk.type("logs", "-f", "work")
    status, shown = desk.see("exec", "work", desk.language.logging)
    follower.expect_exact("logged\r\n")
    follower.sendintr()
    followed, _ = end_of(follower)

    assert (status, shown) == (0, "")
    assert followed == 130


def test_ctrl_c_interrupts_the_code_and_leaves_the_kernel(desk: Desk) -> None:
    child = desk.type("exec", "work", desk.language.waiting)
    child.expect_exact("begun\r\n")
    child.sendintr()
    status, shown = end_of(child)
    after, _ = desk.see("exec", "work", desk.language.remember)

    assert (status, "Traceback" in shown, after) == (130, False, 0)


def test_another_program_interrupts_the_code(desk: Desk) -> None:
    child = desk.type("exec", "work", desk.language.waiting)
    child.expect_exact("begun\r\n")
    (kernel,) = desk.listed()
    interrupted = desk.see("interrupt", "work")
    status, _ = end_of(child)

    assert " busy " in kernel
    assert interrupted == (0, "work: interrupted\n")
    assert status == 1


def test_deaf_code_is_given_up_and_a_restart_has_another_process_that_remembers_nothing(
    desk: Desk,
) -> None:
    desk.see("exec", "work", desk.language.remember)
    child = desk.type("exec", "work", desk.language.deaf)
    child.expect_exact("begun\r\n")
    child.sendintr()
    child.expect_exact("and goes on; Ctrl-C again gives it up\r\n")
    child.sendintr()
    status, _ = end_of(child)
    late, told = desk.see("exec", "work", "--timeout", "0.5", desk.language.recall)
    (before,) = desk.listed()
    restarted = desk.see("restart", "work")
    (after,) = desk.listed()
    _, shown = desk.see("exec", "work", desk.language.recall)

    assert status == 130
    assert (late, "the kernel is busy with other code" in told) == (5, True), told
    assert restarted == (0, "work: restarted\n")
    assert (" busy " in before, " idle " in after) == (True, True)
    assert before.split()[-1] != after.split()[-1]
    assert "kept" not in shown


def test_who_waits_is_told_of_the_end(desk: Desk) -> None:
    waiter = desk.type("wait", "work")
    waiter.expect_exact("Waiting for kernels")
    stopped = desk.see("stop", "work")
    waited, told = end_of(waiter)

    assert stopped in {(0, "work: ended at its request\n"), (0, "work: ended by SIGTERM\n")}
    assert (waited, "work: has ended" in told) == (0, True), told
    assert desk.listed("-a") == []


def test_a_kernel_at_work_is_killed_with_its_children(desk: Desk) -> None:
    status, kernel_id = desk.see("start", "-d", desk.language.kernel)
    child = desk.type("exec", kernel_id.strip(), desk.language.waiting)
    child.expect_exact("begun\r\n")
    killed = desk.see("kill", kernel_id[:6])
    ended, told = end_of(child)
    left = left_behind(desk.runtime_dir)

    assert (status, killed) == (0, (0, f"{kernel_id[:6]}: ended by SIGKILL\n"))
    assert (ended, "The kernel has died" in told) == (1, True), told
    assert left == []


def test_the_doctor_knows_its_oddities(desk: Desk) -> None:
    expected = desk.language.doctor
    checks = [f"--check={name}" for name in expected if name != "start"]
    status, shown = desk.see("doctor", desk.language.kernel, *checks)

    _, *lines = shown.splitlines()
    about = f"spec/{desk.language.kernel}"
    for line, (name, (result, seen)) in zip(lines, expected.items(), strict=True):
        assert re.fullmatch(rf"{about} +{name} +{result} +{seen}", line)
    assert status == 0


def test_its_speed_is_measured(desk: Desk) -> None:
    status, shown = desk.see("bench", desk.language.kernel, "-n", "1", "-o", "json")

    told = json.loads(shown)
    assert (status, told["kernel"]) == (0, f"spec/{desk.language.kernel}")
    assert all(figure["p50"] > 0 for figure in told["figures"].values())
