"""What both launchers do: files, command, environment, and the ways to fail."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio
import anyio.lowlevel
import pytest

from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.types import LaunchOptions
from kernel_mgmt_subprocess import (
    SubprocessIPCKernelLauncher,
    SubprocessKernelLauncher,
)
from kernel_mgmt_subprocess._carriers import find_carriers

pytestmark = pytest.mark.anyio

Launcher: TypeAlias = type[SubprocessKernelLauncher] | type[SubprocessIPCKernelLauncher]

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
NOTHING = [sys.executable, "-S", "-c", ""]
START_ELSEWHERE = [
    sys.executable,
    "-S",
    "-c",
    f"""
import subprocess, time
subprocess.Popen({SLEEP!r}, start_new_session=True)
print(flush=True)
time.sleep(60)
""",
]
PRINT_ARGUMENTS = [sys.executable, "-S", "-c", "import sys; print(sys.argv[1:])"]
PRINT_SIGNALS = [
    sys.executable,
    "-S",
    "-c",
    "print(*(line for line in open('/proc/self/status') if line[:6] in ('SigBlk', 'SigIgn')))",
]


async def run(launcher: SubprocessKernelLauncher | SubprocessIPCKernelLauncher) -> str:
    """Launch, wait until the kernel has exited, clean up, and return what it has printed."""
    _, manager = await launcher.launch()
    await manager.wait()
    await manager.cleanup()
    assert manager.exit_status is not None
    assert manager.exit_status.code == 0, manager.exit_status.tail
    return manager.exit_status.tail


async def test_the_connection_file_holds_the_connection_info(
    launcher_class: Launcher, kernel_id: str, runtime_dir: Path
) -> None:
    options = LaunchOptions(kernel_id=kernel_id)
    launcher = launcher_class(SLEEP, options=options, kernel_name="a", runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    written = json.loads((runtime_dir / f"kernel-{kernel_id}.json").read_text())
    await manager.kill()
    await manager.cleanup()

    assert written == connection_info == manager.connection_info
    assert written["transport"] == launcher_class.transport
    assert written["signature_scheme"] == "hmac-sha256"
    assert written["kernel_name"] == "a"
    assert len(bytes.fromhex(written["key"])) == 32


async def test_files_and_directories_are_for_their_owner_alone(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    _, manager = await launcher_class(SLEEP, runtime_dir=runtime_dir).launch()
    modes = _modes(runtime_dir)
    await manager.kill()
    await manager.cleanup()

    assert {mode for mode in modes if mode.startswith("-")} == {"-rw-------"}
    assert {mode for mode in modes if mode.startswith("d")} == {"drwx------"}


async def test_the_key_is_neither_logged_nor_shown(
    launcher_class: Launcher, runtime_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    launcher = launcher_class(NOTHING, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    await manager.wait()
    await manager.cleanup()
    shown = caplog.text + repr(manager) + repr(launcher)

    assert manager.kernel_id in shown
    assert connection_info.get("key", "") not in shown


async def test_a_launch_lets_the_event_loop_run_in_between(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take_turns)
        _, manager = await launcher_class(SLEEP, runtime_dir=runtime_dir).launch()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await manager.kill()
            await manager.cleanup()

    assert turns > 0


async def test_placeholders_are_filled_in_and_unknown_ones_stay(
    launcher_class: Launcher, kernel_id: str, runtime_dir: Path
) -> None:
    launcher = launcher_class(
        [*PRINT_ARGUMENTS, "{connection_file}", "{prefix}", "{resource_dir}", "{n}", "{other}"],
        launch_params={"n": 3},
        resource_dir="/spec",
        options=LaunchOptions(kernel_id=kernel_id, extra_arguments=["--more", "{n}"]),
        runtime_dir=runtime_dir,
    )
    printed = await run(launcher)

    connection_file = str(runtime_dir / f"kernel-{kernel_id}.json")
    arguments = [connection_file, sys.prefix, "/spec", "3", "{other}", "--more", "{n}"]
    assert printed == str(arguments)


async def test_a_bare_python_is_the_running_interpreter(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    print_executable = ["python3", "-c", "import sys; print(sys.executable)"]
    printed = await run(launcher_class(print_executable, runtime_dir=runtime_dir))

    assert printed == sys.executable


async def test_the_environment_is_the_callers_with_what_is_asked_for(
    launcher_class: Launcher, kernel_id: str, runtime_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONEXECUTABLE", "/other/python")
    monkeypatch.setenv("OUTER", "outer")
    launcher = launcher_class(
        [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"],
        extra_env={"A": "${OUTER}/{n} ${UNSET_VARIABLE} $", "B": "spec"},
        launch_params={"n": 3},
        options=LaunchOptions(kernel_id=kernel_id, env={"B": "option"}),
        runtime_dir=runtime_dir,
    )
    environment = json.loads(await run(launcher))

    assert environment["OUTER"] == "outer"
    assert environment["A"] == "outer/3 ${UNSET_VARIABLE} $"
    assert environment["B"] == "option"
    assert environment["KERNEL_MGMT_KERNEL_ID"] == kernel_id
    assert environment["JPY_PARENT_PID"] == str(os.getpid())
    assert "PYTHONEXECUTABLE" not in environment


async def test_the_kernel_runs_in_the_directory_that_was_asked_for(
    launcher_class: Launcher, runtime_dir: Path, tmp_path: Path
) -> None:
    print_cwd = [sys.executable, "-c", "import os; print(os.getcwd())"]
    there = await run(launcher_class(print_cwd, cwd=tmp_path, runtime_dir=runtime_dir))
    here = await run(launcher_class(print_cwd, runtime_dir=runtime_dir))

    assert [there, here] == [str(tmp_path), os.getcwd()]


async def test_the_kernel_leads_a_session(launcher_class: Launcher, runtime_dir: Path) -> None:
    script = "import os; print(os.getsid(0) == os.getpid())"
    printed = await run(launcher_class([sys.executable, "-c", script], runtime_dir=runtime_dir))

    assert printed == "True"


async def test_the_kernel_does_not_read_what_is_typed_for_the_caller(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    script = "import sys; print(repr(sys.stdin.read()))"
    with _typed(b"input"):
        printed = await run(launcher_class([sys.executable, "-c", script], runtime_dir=runtime_dir))

    assert printed == "''"


async def test_the_output_of_the_kernel_is_not_mixed_into_that_of_the_caller(
    launcher_class: Launcher, runtime_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = "import sys; print('out', flush=True); print('err', file=sys.stderr)"
    printed = await run(launcher_class([sys.executable, "-c", script], runtime_dir=runtime_dir))

    assert printed == "out\nerr"
    assert capfd.readouterr() == ("", "")


async def test_a_subclass_may_take_the_output_elsewhere(runtime_dir: Path) -> None:
    class Piped(SubprocessKernelLauncher):
        def build_popen_kwargs(self, connection_file: str) -> dict[str, Any]:
            return super().build_popen_kwargs(connection_file) | {"stdout": writer}

    reader, writer = os.pipe()
    logged = await run(Piped([*PRINT_ARGUMENTS, "x"], runtime_dir=runtime_dir))
    piped = os.read(reader, 100)
    os.close(writer)
    os.close(reader)

    assert (logged, piped) == ("", b"['x']\n")


async def test_a_subclass_may_override_each_step(runtime_dir: Path) -> None:
    class Fixed(SubprocessIPCKernelLauncher):
        def make_ports(self) -> dict[str, int]:
            return {name: port for port, name in enumerate(super().make_ports(), start=11)}

        def format_kernel_cmd(self, connection_file: str) -> list[str]:
            return [*super().format_kernel_cmd(connection_file), "formatted"]

        def files_to_cleanup(self, connection_file: str, connection_info: Any) -> list[str]:
            _touch(connection_file + ".more")
            return [*super().files_to_cleanup(connection_file, connection_info), _more(self)]

    launcher = Fixed(PRINT_ARGUMENTS, runtime_dir=runtime_dir)
    connection_info, manager = await launcher.launch()
    await manager.wait()
    await manager.cleanup()

    assert connection_info.get("hb_port") == 15
    assert manager.exit_status is not None
    assert manager.exit_status.tail == "['formatted']"


@pytest.mark.skipif(sys.platform != "linux", reason="reads the signals from Linux' /proc")
async def test_the_kernel_blocks_no_signal_though_the_caller_does(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1})
    try:
        printed = await run(launcher_class(PRINT_SIGNALS, runtime_dir=runtime_dir))
        still_blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    assert _signals_in(printed, "SigBlk") == set()
    assert still_blocked == blocked | {signal.SIGINT, signal.SIGUSR1}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the signals from Linux' /proc")
async def test_the_kernel_does_not_ignore_sigint_though_the_caller_does(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        printed = await run(launcher_class(PRINT_SIGNALS, runtime_dir=runtime_dir))
    finally:
        signal.signal(signal.SIGINT, previous)

    # A Python program of its own accord ignores SIGPIPE, and SIGXFSZ where the system has it.
    assert _signals_in(printed, "SigIgn") <= {signal.SIGPIPE, signal.SIGXFSZ}


async def test_a_program_that_is_not_there_is_named(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    launcher = launcher_class(["no-such-program", "{connection_file}"], runtime_dir=runtime_dir)
    with pytest.raises(KernelLaunchError, match="There is no program 'no-such-program'") as caught:
        await launcher.launch()

    assert caught.value.argv[0] == "no-such-program"
    assert os.listdir(runtime_dir) == []


async def test_a_file_that_is_no_program_is_named(
    launcher_class: Launcher, runtime_dir: Path, tmp_path: Path
) -> None:
    _touch(tmp_path / "text")
    launcher = launcher_class([str(tmp_path / "text")], runtime_dir=runtime_dir)
    with pytest.raises(KernelLaunchError, match=r"text' may not be executed"):
        await launcher.launch()

    assert os.listdir(runtime_dir) == []


async def test_an_argument_that_no_program_can_be_given_is_an_error(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    launcher = launcher_class([*SLEEP, "a\0b"], runtime_dir=runtime_dir)
    with pytest.raises(KernelLaunchError, match="null byte"):
        await launcher.launch()

    assert os.listdir(runtime_dir) == []


async def test_an_empty_command_is_an_error(launcher_class: Launcher, runtime_dir: Path) -> None:
    with pytest.raises(KernelLaunchError, match="empty command"):
        await launcher_class([], runtime_dir=runtime_dir).launch()


async def test_a_working_directory_that_is_not_there_is_named(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    launcher = launcher_class(SLEEP, cwd="/no/such/directory", runtime_dir=runtime_dir)
    with pytest.raises(KernelLaunchError, match="directory '/no/such/directory' does not exist"):
        await launcher.launch()


async def test_a_working_directory_that_cannot_be_entered_is_named(runtime_dir: Path) -> None:
    class Elsewhere(SubprocessKernelLauncher):
        def build_popen_kwargs(self, connection_file: str) -> dict[str, Any]:
            return super().build_popen_kwargs(connection_file) | {"cwd": "/no/such/directory"}

    with pytest.raises(KernelLaunchError, match="directory '/no/such/directory' cannot be entered"):
        await Elsewhere(SLEEP, runtime_dir=runtime_dir).launch()


async def test_a_runtime_directory_that_cannot_be_made_is_named(
    launcher_class: Launcher, tmp_path: Path
) -> None:
    _touch(tmp_path / "file")
    launcher = launcher_class(SLEEP, runtime_dir=tmp_path / "file" / "runtime")
    with pytest.raises(KernelLaunchError, match=r"runtime directory .*file/runtime") as caught:
        await launcher.launch()

    assert caught.value.argv == SLEEP


async def test_a_runtime_directory_without_room_leaves_nothing(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    launcher = launcher_class(SLEEP, runtime_dir=runtime_dir)
    with _no_file_may_grow(), pytest.raises(KernelLaunchError, match="connection file"):
        await launcher.launch()

    assert os.listdir(runtime_dir) == []


async def test_a_kernel_id_that_is_in_use_is_refused_and_its_files_stay(
    launcher_class: Launcher, kernel_id: str, runtime_dir: Path
) -> None:
    options = LaunchOptions(kernel_id=kernel_id)
    _, manager = await launcher_class(SLEEP, options=options, runtime_dir=runtime_dir).launch()
    before = sorted(os.listdir(runtime_dir))
    with pytest.raises(KernelLaunchError, match=kernel_id):
        await launcher_class(SLEEP, options=options, runtime_dir=runtime_dir).launch()
    after = sorted(os.listdir(runtime_dir))
    await manager.kill()
    await manager.cleanup()

    assert after == before


@pytest.mark.parametrize("kernel_id", ["../k1", "a b", ".", "é", "-x"])
async def test_a_kernel_id_that_is_no_file_name_is_refused(
    launcher_class: Launcher, runtime_dir: Path, kernel_id: str
) -> None:
    options = LaunchOptions(kernel_id=kernel_id)
    with pytest.raises(LaunchOptionError, match="kernel_id"):
        await launcher_class(SLEEP, options=options, runtime_dir=runtime_dir).launch()


async def test_another_transport_than_that_of_the_launcher_is_refused(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    other: Literal["tcp", "ipc"] = "ipc" if launcher_class.transport == "tcp" else "tcp"
    options = LaunchOptions(transport=other)
    with pytest.raises(LaunchOptionError, match=f"not {other}"):
        await launcher_class(SLEEP, options=options, runtime_dir=runtime_dir).launch()


async def test_a_launcher_that_is_launching_refuses_to_launch_another(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    launcher = launcher_class(NOTHING, runtime_dir=runtime_dir)
    outcomes: list[object] = []

    async def try_to_run() -> None:
        try:
            outcomes.append(await run(launcher))
        except KernelLaunchError as error:
            outcomes.append(error.reason)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(try_to_run)
        tasks.start_soon(try_to_run)

    reason = "The launcher is starting a kernel already; make one launcher for each kernel"
    assert outcomes == [reason, ""]
    assert os.listdir(runtime_dir) == []


@pytest.mark.parametrize("step", ["make_connection_file", "files_to_cleanup"])
async def test_a_step_that_fails_leaves_no_connection_file(
    launcher_class: Launcher, step: str, runtime_dir: Path
) -> None:
    original = getattr(launcher_class, step)

    def fail(*arguments: Any) -> None:
        original(*arguments)
        raise RuntimeError("the step has failed")

    failing: Any = type("Failing", (launcher_class,), {step: fail})
    with pytest.raises(RuntimeError, match="has failed"):
        await failing(SLEEP, runtime_dir=runtime_dir).launch()

    assert os.listdir(runtime_dir) == []


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in Linux' /proc")
async def test_a_launch_that_fails_late_ends_what_the_kernel_has_started_elsewhere(
    launcher_class: Launcher, kernel_id: str, runtime_dir: Path
) -> None:
    reader, writer = os.pipe()

    def tell_start(launcher: Any, connection_file: str) -> dict[str, Any]:
        return {**build_popen_kwargs(launcher, connection_file), "stdout": writer}

    def fail(*_: Any) -> None:
        os.read(reader, 1)
        raise RuntimeError("the launch has failed")

    build_popen_kwargs: Any = launcher_class.build_popen_kwargs
    steps = {"build_popen_kwargs": tell_start, "_hold": fail}
    failing: Any = type("Failing", (launcher_class,), steps)
    options = LaunchOptions(kernel_id=kernel_id)
    with pytest.raises(RuntimeError, match="has failed"):
        await failing(START_ELSEWHERE, options=options, runtime_dir=runtime_dir).launch()
    os.close(reader)
    os.close(writer)

    with anyio.fail_after(20):
        while list(find_carriers(kernel_id)):
            await anyio.sleep(0.005)


async def test_a_launcher_may_launch_again_when_its_kernel_is_gone(
    launcher_class: Launcher, runtime_dir: Path
) -> None:
    launcher = launcher_class([*PRINT_ARGUMENTS, "{kernel_id}"], runtime_dir=runtime_dir)
    printed = [await run(launcher), await run(launcher)]

    assert printed == [str([launcher.kernel_id])] * 2


def _modes(directory: Path) -> set[str]:
    return {stat.filemode(path.stat().st_mode) for path in [directory, *directory.iterdir()]}


def _touch(path: str | Path) -> None:
    Path(path).touch()


def _more(launcher: SubprocessIPCKernelLauncher) -> str:
    return os.path.join(launcher.runtime_dir, f"kernel-{launcher.kernel_id}.json.more")


def _signals_in(printed: str, field: str) -> set[int]:
    mask = int(printed.partition(f"{field}:")[2].split()[0], 16)
    return {number for number in range(1, 65) if mask & 1 << (number - 1)}


@contextmanager
def _typed(text: bytes) -> Generator[None]:
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    stdin = os.dup(0)
    os.dup2(reader, 0)
    os.close(reader)
    try:
        yield
    finally:
        os.dup2(stdin, 0)
        os.close(stdin)


@contextmanager
def _no_file_may_grow() -> Generator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
