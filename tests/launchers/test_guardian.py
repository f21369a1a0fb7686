"""No kernel outlives the program that launched it, however that program goes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import anyio
import pytest

from kernel_mgmt.records import ProcessIdentity
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_subprocess._carriers import find_carriers
from tests.launchers.owner import Owner

pytestmark = pytest.mark.anyio

if sys.platform != "linux":
    pytest.skip("reads the processes from Linux' /proc", allow_module_level=True)

FAKE = fake_kernel_argv()
IPYKERNEL = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
XPYTHON = [sys.executable, "-m", "xpython_launcher", "-f", "{connection_file}", "--raw"]
BASH = [sys.executable, "-m", "bash_kernel", "-f", "{connection_file}"]
IRKERNEL = ["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def start_owner(anyio_backend: str, runtime_dir: Path) -> Iterator[Callable[[], Owner]]:
    """A function that starts a program which launches kernels."""
    with ExitStack() as stack:

        def start() -> Owner:
            owner = Owner(anyio_backend, runtime_dir)
            stack.callback(owner.close)
            return owner

        yield start


@pytest.fixture
def owner(start_owner: Callable[[], Owner]) -> Owner:
    """A program that launches kernels."""
    return start_owner()


async def nothing_is_left(runtime_dir: Path) -> None:
    """Return when there is no process of this test any more, and no file in the directory."""
    with anyio.fail_after(20):
        while processes() or (runtime_dir.exists() and os.listdir(runtime_dir)):
            await anyio.sleep(0.005)


def processes() -> list[int]:
    """The processes that were started in this test and have not ended."""
    mark = f"KERNEL_MGMT_TEST={os.environ['KERNEL_MGMT_TEST']}".encode()
    found: list[int] = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (directory / "environ").read_bytes().split(b"\0"):
                found.append(int(directory.name))
        except OSError:
            continue
    return found


def guardians() -> list[int]:
    """The guardians among them."""
    return [pid for pid in processes() if b"_guardian_main" in _command_of(pid)]


async def gone(*pids: int) -> None:
    """Return when none of the processes runs."""
    with anyio.fail_after(20):
        while set(pids) & set(processes()):
            await anyio.sleep(0.005)


@pytest.mark.parametrize("transport", ["tcp", "ipc"])
@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(FAKE, id="fake"),
        pytest.param(IPYKERNEL, id="ipykernel"),
        pytest.param(XPYTHON, id="xpython-raw"),
        pytest.param(BASH, id="bash"),
        pytest.param(
            IRKERNEL,
            id="ir",
            marks=pytest.mark.skipif(shutil.which("R") is None, reason="R is not installed"),
        ),
    ],
)
async def test_a_kernel_ends_with_a_program_that_is_killed(
    owner: Owner, argv: list[str], transport: str, runtime_dir: Path
) -> None:
    owner.launch(argv, argv, transport=transport)
    owner.kill()

    await nothing_is_left(runtime_dir)


async def test_twenty_kernels_end_with_a_program_that_is_killed(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch(*[FAKE] * 10)
    pids = owner.launch(*[FAKE] * 10, transport="ipc")
    alive = set(pids) <= set(processes())
    owner.kill()

    assert alive
    await nothing_is_left(runtime_dir)


async def test_the_children_of_a_kernel_end_with_it_wherever_they_are(
    owner: Owner, runtime_dir: Path
) -> None:
    (pid,) = owner.launch(BASH)
    kernel_id = owner.do("answer = managers[0].kernel_id")
    groups = {os.getpgid(each) for each in find_carriers(kernel_id)}
    owner.kill()

    assert len(groups) > 1
    assert pid in groups
    await nothing_is_left(runtime_dir)


async def test_a_child_that_has_lost_the_id_ends_with_the_group_of_its_kernel(
    owner: Owner, runtime_dir: Path
) -> None:
    children = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], env={{}})
print(child.pid, flush=True)
child.wait()
"""
    owner.launch_script(children)
    log = Path(owner.do("answer = managers[0].describe()['log_file']"))
    with anyio.fail_after(20):
        while not (child := log.read_text()).endswith("\n"):
            await anyio.sleep(0.005)
    owner.kill()

    await nothing_is_left(runtime_dir)
    with anyio.fail_after(20):
        while ProcessIdentity.of(int(child)).runs():
            await anyio.sleep(0.005)


async def test_a_process_that_has_the_pid_of_a_kernel_by_now_is_left_alone(
    owner: Owner, kernel_id: str, runtime_dir: Path
) -> None:
    pid = owner.do(
        f"""
from subprocess import DEVNULL, Popen
other = Popen([sys.executable, "-c", {SLEEP!r}], start_new_session=True, stdout=DEVNULL)
guard = this_guardian().guard({kernel_id!r})
guard.end_process(other.pid, 1)
answer = other.pid
"""
    )
    guardian = owner.guardian
    owner.kill()
    await gone(guardian)
    runs = pid in processes()
    os.kill(pid, signal.SIGKILL)

    assert runs
    await nothing_is_left(runtime_dir)


@pytest.mark.parametrize(
    "end",
    [
        "import os; os._exit(0)",
        "raise SystemExit",
        "import os; os.execv('/bin/sleep', ['sleep', '60'])",
    ],
)
async def test_a_kernel_ends_with_a_program_that_goes_in_another_way(
    owner: Owner, end: str, runtime_dir: Path
) -> None:
    pid, guardian = owner.launch_script(SLEEP), owner.guardian
    owner.tell(end)
    await gone(pid, guardian)
    owner.kill()

    await nothing_is_left(runtime_dir)


async def test_a_kernel_ends_with_a_program_whose_group_is_killed(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP)
    os.killpg(owner.popen.pid, signal.SIGKILL)
    owner.popen.wait()

    await nothing_is_left(runtime_dir)


FORK = "holder = os.fork() or time.sleep(60)"
# These hold the other ends of what the guardian listens to, and of what it waits for at first.
SPAWN = """
channel, gate = this_guardian()._channel, this_guardian()._gate
holder = Popen(['sleep', '60'], pass_fds=[channel], stdout=DEVNULL).pid
"""
SPAWN_WITH_GATE = SPAWN.replace("[channel]", "[channel, gate]")


@pytest.mark.parametrize(
    "start", [FORK, SPAWN, SPAWN_WITH_GATE], ids=["fork", "with the channel", "with the gate"]
)
async def test_a_child_that_lives_on_does_not_keep_the_kernels_alive(
    owner: Owner, start: str, runtime_dir: Path
) -> None:
    pid = owner.launch_script(SLEEP)
    guardian = owner.guardian
    imports = "import os, time; from subprocess import DEVNULL, Popen"
    holder = owner.do(f"{imports}\n{start}\nanswer = holder")
    owner.kill()
    await gone(pid, guardian)
    files = os.listdir(runtime_dir)
    os.kill(holder, signal.SIGKILL)

    assert files == []
    await nothing_is_left(runtime_dir)


async def test_a_program_may_be_gone_before_its_guardian_is_up(
    owner: Owner, kernel_id: str, runtime_dir: Path
) -> None:
    owner.tell(
        f"""
import os
from subprocess import DEVNULL, Popen
env = {{**os.environ, "KERNEL_MGMT_KERNEL_ID": {kernel_id!r}}}
guard = this_guardian().guard({kernel_id!r})
Popen([sys.executable, "-c", {SLEEP!r}], stdout=DEVNULL, env=env)
Popen(["sleep", "60"], pass_fds=[this_guardian()._channel], stdout=DEVNULL)
os.kill(os.getpid(), 9)
"""
    )
    owner.popen.wait()
    with anyio.fail_after(20):
        while list(find_carriers(kernel_id)) or len(processes()) > 1:
            await anyio.sleep(0.005)
    (holder,) = processes()
    command = _command_of(holder)
    os.kill(holder, signal.SIGKILL)

    assert command == b"sleep\00060\0"
    await nothing_is_left(runtime_dir)


async def test_a_guardian_is_a_shell_at_first_and_small_ever_after(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP)
    guardian = owner.guardian
    at_first = _command_of(guardian)
    with anyio.fail_after(20):
        while str(runtime_dir) not in _open_files_of(guardian):
            await anyio.sleep(0.01)
    later = _command_of(guardian)
    size = int(Path(f"/proc/{guardian}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    owner.kill()

    assert at_first.startswith(b"/bin/sh\0-c\0")
    assert later.startswith(os.fsencode(sys.executable))
    assert size < 12_000_000
    await nothing_is_left(runtime_dir)


async def test_a_guardian_that_is_told_much_at_once_makes_nobody_wait(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP)
    guardian = owner.guardian
    for _ in range(30):
        owner.do("managers[0]._guard.remove_files_at_end(['/no/such/file' * 2000])")
    replacement = owner.guardian
    owner.kill()

    assert replacement == guardian
    await nothing_is_left(runtime_dir)


async def test_a_fork_has_a_guardian_of_its_own(owner: Owner, runtime_dir: Path) -> None:
    first = owner.launch_script(SLEEP)
    guardian = owner.guardian
    fork, second, other_guardian = owner.do(
        f"""
import os, signal
read_end, write_end = os.pipe()
fork = os.fork()
if not fork:
    managers.clear()
    launched = launch_script({SLEEP!r})
    os.write(write_end, json.dumps([os.getpid(), launched.pid, guardian()]).encode())
    signal.pause()
answer = json.loads(os.read(read_end, 1000))
"""
    )
    os.kill(fork, signal.SIGKILL)
    await gone(second, other_guardian)
    first_is_alive = {first, guardian} <= set(processes())
    owner.kill()

    assert first_is_alive
    await nothing_is_left(runtime_dir)


@pytest.mark.parametrize("delay", [0, 0.2])
async def test_a_kernel_whose_pid_is_not_yet_known_is_found_by_its_id(
    owner: Owner, kernel_id: str, delay: float, runtime_dir: Path
) -> None:
    spawned_late = f"sleep {delay}; exec env KERNEL_MGMT_KERNEL_ID={kernel_id} sleep 60"
    owner.do(
        f"""
from subprocess import DEVNULL, Popen
guard = this_guardian().guard({kernel_id!r})
Popen(["sh", "-c", {spawned_late!r}], stdin=DEVNULL, stdout=DEVNULL)
"""
    )
    owner.kill()

    await nothing_is_left(runtime_dir)


async def test_a_guardian_that_died_is_replaced_by_the_next_launch(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP)
    guardian = owner.guardian
    os.kill(guardian, signal.SIGKILL)
    await gone(guardian)
    owner.launch_script(SLEEP)
    replacement = owner.guardian
    owner.kill()

    assert replacement not in (None, guardian)
    await nothing_is_left(runtime_dir)


async def test_a_guardian_that_died_does_not_end_a_program_that_minds_sigpipe(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.do("import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL)")
    owner.launch_script(SLEEP)
    guardian = owner.guardian
    os.kill(guardian, signal.SIGKILL)
    await gone(guardian)
    owner.launch_script(SLEEP)
    owner.kill()

    await nothing_is_left(runtime_dir)


@pytest.mark.parametrize(
    "occasion",
    [
        "anyio.run(managers[0].kernel_ready)",
        "anyio.run(managers[0].kill); anyio.run(managers[0].cleanup)",
    ],
)
async def test_a_guardian_that_died_is_replaced_on_other_occasions_too(
    owner: Owner, occasion: str, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP)
    owner.launch_script(SLEEP)
    guardian = owner.guardian
    os.kill(guardian, signal.SIGKILL)
    await gone(guardian)
    owner.do(occasion)
    replacement = owner.guardian
    owner.kill()

    assert replacement not in (None, guardian)
    await nothing_is_left(runtime_dir)


async def test_a_guardian_is_ended_by_no_signal_that_can_be_ignored(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP)
    guardian = owner.guardian
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        os.kill(guardian, signum)
    owner.kill()

    await nothing_is_left(runtime_dir)


def threads_of(pid: int) -> list[str]:
    """The names of the threads of a process, but for those that trio keeps for a while."""
    names = [path.read_text().strip() for path in Path(f"/proc/{pid}/task").glob("*/comm")]
    return [name for name in names if not name.startswith("Trio thread")]


async def test_a_guardian_is_there_as_long_as_there_are_kernels(
    owner: Owner, runtime_dir: Path
) -> None:
    guardians = [owner.guardian]
    for _ in range(2):
        owner.launch_script(SLEEP)
        guardians.append(owner.guardian)
    for _ in range(2):
        owner.do("end(managers.pop())")
        guardians.append(owner.guardian)

    assert guardians == [None, guardians[1], guardians[1], guardians[1], None]
    assert processes() == [owner.popen.pid]
    assert len(threads_of(owner.popen.pid)) == 1


async def test_a_guardian_stays_until_the_files_are_removed(
    owner: Owner, runtime_dir: Path
) -> None:
    pid = owner.launch_script("")
    owner.do("anyio.run(managers[0].wait)")
    files = os.listdir(runtime_dir)
    owner.kill()

    assert files != []
    assert pid not in processes()
    await nothing_is_left(runtime_dir)


async def test_a_guardian_stays_until_the_kernel_has_ended(owner: Owner, runtime_dir: Path) -> None:
    owner.launch_script(SLEEP)
    owner.do("anyio.run(managers[0].cleanup)")
    owner.kill()

    await nothing_is_left(runtime_dir)


async def test_a_launch_that_fails_leaves_no_guardian(owner: Owner, runtime_dir: Path) -> None:
    failed = owner.do(
        """
from kernel_mgmt import KernelLaunchError
try:
    anyio.run(SubprocessKernelLauncher(["/no/such/program"], runtime_dir=RUNTIME_DIR).launch)
except KernelLaunchError:
    answer = True
"""
    )

    assert failed
    assert owner.guardian is None
    assert processes() == [owner.popen.pid]


async def test_a_launch_that_fails_for_its_id_leaves_the_kernel_of_that_id_guarded(
    owner: Owner, kernel_id: str, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP, kernel_id=kernel_id)
    failed = owner.do(
        f"""
from kernel_mgmt import KernelLaunchError
try:
    launch_script({SLEEP!r}, kernel_id={kernel_id!r})
except KernelLaunchError:
    answer = True
"""
    )
    owner.kill()

    assert failed
    await nothing_is_left(runtime_dir)


async def test_a_guardian_comes_up_though_shells_end_where_anything_fails(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.do(
        """
import os
from kernel_mgmt_subprocess import _guardian
os.environ["SHELLOPTS"] = "errexit"
_guardian._guardian = _guardian.Guardian(shell="/bin/bash")
"""
    )
    owner.launch_script(SLEEP)
    owner.kill()

    await nothing_is_left(runtime_dir)


async def test_a_launch_without_a_descriptor_to_spare_leaves_no_guardian(
    owner: Owner, runtime_dir: Path
) -> None:
    failed = owner.do(
        f"""
import resource
from kernel_mgmt import KernelLaunchError
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
async def fail():
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        await SubprocessKernelLauncher([{sys.executable!r}], runtime_dir=RUNTIME_DIR).launch()
    except KernelLaunchError:
        return True
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
answer = anyio.run(fail, backend=BACKEND)
"""
    )
    owner.launch_script(SLEEP)
    owner.do("end(managers[0])")

    assert failed
    assert processes() == [owner.popen.pid]


async def test_a_fork_may_ask_for_a_kernel_whose_end_is_just_being_seen(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch_script(SLEEP)
    status = owner.do(
        """
import os, signal
with managers[0]._process._lock:
    fork = os.fork()
    if not fork:
        signal.alarm(20)
        managers[0]._process.has_ended()
        os._exit(0)
    answer = os.waitpid(fork, 0)[1]
"""
    )
    owner.kill()

    assert status == 0
    await nothing_is_left(runtime_dir)


async def test_launches_in_many_threads_share_one_guardian(owner: Owner, runtime_dir: Path) -> None:
    owner.do(
        f"""
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(8) as threads:
    list(threads.map(launch_script, [{SLEEP!r}] * 16))
"""
    )
    one = guardians()
    owner.kill()

    assert len(one) == 1
    await nothing_is_left(runtime_dir)


async def test_a_guardian_ends_though_the_program_ignores_the_end_of_children(
    owner: Owner,
) -> None:
    owner.do("import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)")
    owner.launch_script(SLEEP)
    owner.do("end(managers[0])")

    assert processes() == [owner.popen.pid]


async def test_a_guardian_that_somebody_else_reaped_is_not_killed_again(owner: Owner) -> None:
    owner.launch_script(SLEEP)
    owner.do("import os; os.kill(guardian(), 9); os.waitpid(guardian(), 0)")
    owner.do("end(managers[0])")

    assert processes() == [owner.popen.pid]


async def test_a_guardian_that_does_not_listen_is_replaced(owner: Owner, runtime_dir: Path) -> None:
    owner.launch_script(SLEEP)
    deaf = owner.guardian
    os.kill(deaf, signal.SIGSTOP)
    owner.do("for _ in range(20): managers[0]._guard.remove_files_at_end(['/x' * 30_000])")
    replacement = owner.guardian
    owner.kill()

    assert replacement != deaf
    await nothing_is_left(runtime_dir)


async def test_a_guardian_may_be_told_something_while_it_is_being_told_something(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.do(
        f"""
import os, signal
from contextlib import suppress
def interfere(*_):
    launched._guard.check()
    times[0] += 1
times = [0]
launched = launch_script({SLEEP!r})
# It ends the program if one waits for the other.
signal.alarm(20)
signal.signal(signal.SIGVTALRM, interfere)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.0005, 0.0005)
while times[0] < 60:
    launched._guard.remove_files_at_end(["/no/such/file"])
    with suppress(OSError):
        pid = guardian()
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
signal.setitimer(signal.ITIMER_VIRTUAL, 0)
launched._guard.check()
"""
    )
    in_use = owner.guardian
    with anyio.fail_after(20):
        while guardians() != [in_use]:
            await anyio.sleep(0.005)
    owner.kill()

    await nothing_is_left(runtime_dir)


async def test_a_guardian_is_small_and_sleeps_while_nothing_happens(
    owner: Owner, runtime_dir: Path
) -> None:
    owner.launch(*[FAKE] * 5)
    guardian = owner.guardian
    before = ""
    with anyio.fail_after(20):
        while (now := _status_of(guardian, "voluntary_ctxt_switches")) != before:
            before = now
            await anyio.sleep(0.3)
    most = int(_status_of(guardian, "VmHWM").removesuffix(" kB"))
    owner.kill()

    assert most < 12_000
    await nothing_is_left(runtime_dir)


async def test_a_guardian_is_no_part_of_the_kernel_that_launches_kernels(
    owner: Owner, kernel_id: str, runtime_dir: Path
) -> None:
    owner.do(f"import os; os.environ['KERNEL_MGMT_KERNEL_ID'] = {kernel_id!r}")
    owner.launch_script(SLEEP)
    guardian = owner.guardian
    carriers = list(find_carriers(kernel_id))
    owner.kill()

    assert guardian not in carriers
    await nothing_is_left(runtime_dir)


def _status_of(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().split("\n")
    return next(line.split(":")[1].strip() for line in lines if line.startswith(f"{field}:"))


def _open_files_of(pid: int) -> set[str]:
    directory, found = f"/proc/{pid}/fd", set[str]()
    for descriptor in os.listdir(directory):
        with suppress(FileNotFoundError):
            found.add(os.readlink(f"{directory}/{descriptor}"))
    return found


def _command_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()
