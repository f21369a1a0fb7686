"""A distribution of somebody else's, built, installed beside ours in a new environment, and used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OBLONG = ROOT / "docs" / "examples" / "kernel-mgmt-oblong"


class Environment:
    """A virtual environment, and a directory to run its programs in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        path = directory / "environment"
        venv.create(path)
        scripts = "Scripts" if sys.platform == "win32" else "bin"
        self.python = str(path / scripts / "python")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its Python."""
        return self._run(self.python, *arguments)

    def pip(self, *arguments: str) -> None:
        """Run the pip of the tests on it; a pip of its own would take seconds to install."""
        options = ["--quiet", "--disable-pip-version-check", "--python", self.python]
        result = self._run(sys.executable, "-m", "pip", *options, *arguments)
        assert result.returncode == 0, result.stderr

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            argv,
            cwd=self.directory,
            env=env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheels of kernel-mgmt and of kernel-mgmt-oblong."""
    directory = tmp_path_factory.mktemp("third-party")
    shutil.copytree(OBLONG, directory / "oblong")
    environment = Environment(directory)
    environment.pip("install", "hatchling")
    sources = [str(ROOT), str(directory / "oblong")]
    build = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(directory)]
    environment.pip("wheel", *build, *sources)
    # By their paths: what an index has under these names is not meant.
    ours, theirs = sorted(directory.glob("*.whl"))
    environment.pip("install", "--no-compile", str(ours), f"{theirs}[test]")
    return environment


def test_the_discovery_of_a_new_environment_lists_it(environment: Environment) -> None:
    listed = environment.run("-m", "kernel_mgmt.discovery")

    assert listed.returncode == 0, listed.stderr
    assert {"oblong/rounded", "oblong/sharp"} <= set(listed.stdout.split("\n"))
    assert "oblong" not in listed.stderr


def test_its_kernel_is_launched_by_its_name(environment: Environment) -> None:
    code = """
from kernel_mgmt import run_kernel_blocking

with run_kernel_blocking("oblong/rounded") as client:
    reply = client.execute("", user_expressions={"third": "1 / 3"})
print(reply.content["user_expressions"]["third"]["data"]["text/plain"])
"""
    launched = environment.run("-c", code)

    assert launched.returncode == 0, launched.stderr
    assert launched.stdout == "0.33\n"


def test_its_own_tests_pass(environment: Environment) -> None:
    # One event loop is enough to see that a stranger can run the suite.
    options = ["-q", "-p", "no:cacheprovider", "-k", "not trio"]
    tests = environment.run("-m", "pytest", *options, "oblong/tests")

    assert tests.returncode == 0, tests.stdout
    assert " passed" in tests.stdout


def test_the_how_to_shows_the_module_of_the_example() -> None:
    page = (ROOT / "docs" / "how-to" / "write-a-provider.md").read_text(encoding="utf-8")
    shown = page.partition("```python\n")[2].partition("```\n")[0]
    _, _, module = (OBLONG / "kernel_mgmt_oblong.py").read_text(encoding="utf-8").partition("\n\n")

    assert shown == module
