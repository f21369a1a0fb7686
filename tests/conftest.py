"""Fixtures and options that hold for every test."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forbid-skips", action="store_true", help="fail if any test was skipped, and name it"
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if something was skipped that should run here; reasons say `elsewhere:` where not."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not session.config.getoption("--forbid-skips") or reporter is None:
        return
    skipped: list[pytest.TestReport] = reporter.stats.get("skipped", [])
    if any("elsewhere: " not in str(report.longrepr) for report in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run each asynchronous test on both event loops."""
    backend: str = request.param
    return backend


@pytest.fixture(scope="session", autouse=True)
def _quick_collections() -> Iterator[None]:
    """Look for garbage in what the tests make, not in all that pytest has collected for them."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Kernels find no settings of the user's, and nothing that breaks if they are killed.

    A shell that runs pyenv's setup, for one, leaves a lock behind for which later ones wait.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


def _left_behind(runtime_dir: Path) -> tuple[list[Path], dict[int, str]]:
    processes = processes_with("KERNEL_MGMT_TEST_RUN", str(runtime_dir))
    return list(runtime_dir.rglob("*")), processes


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[None]:
    """All tests together leave no file in the runtime directory, and no process.

    One that has failed may have left something, which is ended and not told again.
    """
    runtime_dir = tmp_path_factory.mktemp("runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_RUNTIME_DIR", str(runtime_dir))
        patch.setenv("KERNEL_MGMT_TEST_RUN", str(runtime_dir))
        yield
    until = monotonic() + 10
    # A guardian may have yet to clean up after what the last test has killed.
    while any(left := _left_behind(runtime_dir)) and monotonic() < until:
        sleep(0.05)
    files, processes = left
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    if not request.session.testsfailed:
        assert files == []
        assert processes == {}


def processes_with(name: str, value: str) -> dict[int, str]:
    """The other processes whose environment has a variable, with their command lines."""
    mark = os.fsencode(f"{name}={value}")
    found: dict[int, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended, or is not ours
            continue
    return found


def left_behind(runtime_dir: Path) -> list[str]:
    """What is still in a runtime directory, and the processes that were given its path.

    A process that has been killed takes a moment to be gone, so they are given some seconds.
    """
    until = monotonic() + 20
    while True:
        left = [str(path) for path in runtime_dir.rglob("*")]
        left += processes_with("JUPYTER_RUNTIME_DIR", str(runtime_dir)).values()
        if not left or monotonic() > until:
            return left
        sleep(0.01)
