"""jupyter_client's own tests, with the classes of kernel_mgmt.jupyter in the place of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

VERSION = "8.10.0"
INJECTION = Path(__file__).with_name("jupyter_client_injection.py")

# The files, one of them in two parts, the longest first: they wait most of the time.
RUNS = (
    ("restarter", ""),
    ("kernelmanager", "TestParallel"),
    ("client", ""),
    ("kernelmanager", "not TestParallel"),
    ("multikernelmanager", ""),
    ("provisioning", ""),
    ("public_api", ""),
)
AT_ONCE = 3

# How many tests pass, which are all but those that skip themselves and those below.
PASSED = {
    "client": 27,
    "kernelmanager": 34,
    "multikernelmanager": 31,
    "provisioning": 11,
    "public_api": 4,
    "restarter": 8,
}

_KEYS = (
    "It calls the private _async_pre_start_kernel, and looks where jupyter_client's own provisioner "
    "keeps the keys before a launch."
)
# The tests of private names that fail, and why.
PRIVATE = {
    "tests/test_provisioning.py::TestRuntime::"
    "test_local_provisioner_pre_launch_generates_curve_keys_under_transport_encryption": _KEYS,
    "tests/test_provisioning.py::TestRuntime::"
    "test_local_provisioner_pre_launch_generates_curve_keys_over_ipc": _KEYS,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The source distribution of jupyter_client, unpacked."""
    what = f"jupyter_client=={VERSION}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    options = ["--no-binary", "jupyter_client", "--dest", str(tmp_path)]
    result = _output_of([*pip, *options, what], tmp_path, 300)
    archives = list(tmp_path.glob("*.tar.gz"))
    if not archives:
        pytest.fail(f"the sources of {what} cannot be downloaded: {result}", pytrace=False)
    with tarfile.open(archives[0]) as file:
        file.extractall(tmp_path, filter="data")
    return tmp_path / f"jupyter_client-{VERSION}"


def test_jupyter_clients_own_tests_pass_with_our_classes(source: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = [
            pool.submit(_run, source, tmp_path / f"run{index}", f"tests/test_{name}.py", choice)
            for index, (name, choice) in enumerate(RUNS)
        ]
    outcomes = {test: outcome for run in runs for test, outcome in run.result()[0].items()}
    output = "\n".join(run.result()[1] for run in runs)

    failed = {test for test, outcome in outcomes.items() if outcome == "failed"}
    assert failed == set(PRIVATE), output
    passed = [test.split("::")[0] for test in outcomes if outcomes[test] == "passed"]
    assert Counter(passed) == {f"tests/test_{name}.py": PASSED[name] for name in PASSED}, output


def _run(source: Path, directory: Path, file: str, choice: str) -> tuple[dict[str, str], str]:
    """Run a file of tests, in a process and a directory of its own.

    :param choice: an expression for the option ``-k``
    :return: the outcomes by the ids of the tests, and what was printed
    """
    shutil.copytree(source / "tests", directory / "tests")
    for path in (source / "pyproject.toml", INJECTION):
        shutil.copy(path, directory)
    outcomes = directory / "outcomes.json"
    outcomes.write_text("{}", encoding="utf-8")
    pytest_of_its_own = [sys.executable, "-m", "pytest", file, "-k", choice, "-q", "--tb=short"]
    # Its own plugin runs the asynchronous tests; its other options need plugins that are not here.
    plugins = ["-o", "addopts=", "-p", INJECTION.stem]
    for name in ("asyncio", "anyio", "cacheprovider"):
        plugins += ["-p", f"no:{name}"]
    output = _output_of([*pytest_of_its_own, *plugins], directory, 500)
    return json.loads(outcomes.read_text(encoding="utf-8")), output


def _output_of(command: list[str], directory: Path, timeout: float) -> str:
    environ = {"PYTHONPATH": str(directory), "OUTCOMES": str(directory / "outcomes.json")}
    return subprocess.run(
        command,
        check=False,
        cwd=directory,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    ).stdout
