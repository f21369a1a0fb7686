"""A runtime directory that the user may not use, with the rights of a user and not those of root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel_mgmt.records import KernelRecord, ProcessIdentity, record_path, write_record
from tests.launchers.owner import Owner

pytestmark = pytest.mark.anyio

if sys.platform != "linux":
    pytest.skip("elsewhere: only Linux has capabilities", allow_module_level=True)

# Root who has dropped these is a user as any other, and may still run this interpreter.
RIGHTS = "-dac_override,-dac_read_search"
DROP = ["setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}"] if os.geteuid() == 0 else []
LAUNCHERS = ("SubprocessKernelLauncher", "SubprocessIPCKernelLauncher")


@pytest.fixture
def directory(runtime_dir: Path) -> Iterator[Path]:
    """A runtime directory that the test may make unusable."""
    runtime_dir.mkdir(mode=0o700)
    yield runtime_dir
    runtime_dir.chmod(0o700)


@pytest.fixture
def user(anyio_backend: str, directory: Path) -> Iterator[Owner]:
    """A program without the rights of root, which launches kernels in the directory."""
    try:
        subprocess.run([*DROP, "true"], check=True, timeout=20)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"elsewhere: the rights of root cannot be dropped ({error})")
    owner = Owner(anyio_backend, directory, DROP)
    yield owner
    owner.close()


def launch(user: Owner, launcher: str, directory: Path) -> Any:
    """Have a kernel launched, and return the error and the guardian that there is then."""
    return user.do(
        f"""
import os
from kernel_mgmt import KernelLaunchError
import kernel_mgmt_subprocess
os.environ["JUPYTER_RUNTIME_DIR"] = {str(directory)!r}
message = None
try:
    argv = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    launcher = getattr(kernel_mgmt_subprocess, {launcher!r})(argv)
    end(anyio.run(launcher.launch, backend=BACKEND)[1])
except KernelLaunchError as error:
    message = error.reason
answer = [message, guardian()]
"""
    )


def files_in(directory: Path) -> list[str]:
    """The files in a directory, which may be listed from now on."""
    directory.chmod(0o700)
    return os.listdir(directory)


def give_away(directory: Path) -> None:
    """Make a directory that of another user."""
    if os.geteuid() != 0:
        pytest.skip("elsewhere: only root can make a directory that of another user")
    os.chown(directory, 65534, 65534)


def forbid_all(directory: Path) -> None:
    directory.chmod(0)


def forbid_writing(directory: Path) -> None:
    directory.chmod(0o500)


def forbid_listing(directory: Path) -> None:
    directory.chmod(0o300)


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("forbid", [forbid_all, forbid_writing, give_away])
async def test_a_directory_that_cannot_be_written_to_is_named_with_the_way_out(
    user: Owner, directory: Path, launcher: str, forbid: Callable[[Path], None]
) -> None:
    forbid(directory)
    message, guardian = launch(user, launcher, directory)

    assert f"Permission denied: '{directory}/" in message
    assert "set JUPYTER_RUNTIME_DIR to a directory that this user may write to" in message
    assert guardian is None
    assert files_in(directory) == []


@pytest.mark.parametrize("launcher", LAUNCHERS)
async def test_a_directory_that_cannot_be_made_is_named_with_the_way_out(
    user: Owner, directory: Path, launcher: str
) -> None:
    directory.chmod(0o500)
    message, guardian = launch(user, launcher, directory / "more" / "runtime")

    assert f"Permission denied: '{directory}/more'" in message
    assert "set JUPYTER_RUNTIME_DIR" in message
    assert guardian is None
    assert files_in(directory) == []


@pytest.mark.parametrize("launcher", LAUNCHERS)
async def test_a_directory_that_cannot_be_listed_is_good_enough(
    user: Owner, directory: Path, launcher: str
) -> None:
    forbid_listing(directory)
    message, guardian = launch(user, launcher, directory)

    assert (message, guardian) == (None, None)
    assert files_in(directory) == []


FIND = """
from kernel_mgmt.records import find_records, prune
found = find_records(RUNTIME_DIR)
unreadable = [[each.path, each.reason] for each in found.unreadable]
answer = [[each.kernel_id for each in found.records], unreadable, len(prune(RUNTIME_DIR))]
"""


@pytest.mark.parametrize("forbid", [forbid_all, forbid_listing, give_away])
async def test_records_that_cannot_be_listed_are_told_as_unreadable(
    user: Owner, directory: Path, forbid: Callable[[Path], None]
) -> None:
    forbid(directory)
    records, unreadable, pruned = user.do(FIND)

    assert records == []
    assert [path for path, _ in unreadable] == [str(directory)]
    assert "Permission denied" in unreadable[0][1]
    assert pruned == 0


async def test_a_record_that_cannot_be_read_hides_no_other(user: Owner, directory: Path) -> None:
    for kernel_id in ("a", "b"):
        write_record(KernelRecord(kernel_id, ProcessIdentity((1 << 22) + 1, 1), "/a"), directory)
    secret = Path(record_path("b", directory))
    secret.chmod(0)
    records, unreadable, pruned = user.do(FIND)
    secret.unlink()
    Path(record_path("a", directory)).unlink()

    assert records == ["a"]
    assert [path for path, _ in unreadable] == [str(secret)]
    assert pruned == 0
