"""The command ``kernel-mgmt list``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pexpect

from .conftest import Run, Terminal
from .installed import install_provider, write_kernelspec

SLOW = """
def find_kernels(self):
    import time
    time.sleep(1)
    yield "x", {}
"""


def test_each_kernel_type_is_in_the_table(run_here: Run) -> None:
    result = run_here("list")

    header, *rows = result.stdout.splitlines()
    assert header.split() == ["NAME", "DISPLAY", "NAME", "LANGUAGE", "FROM"]
    (row,) = (row for row in rows if row.startswith("spec/python3 "))
    assert row.split()[-2] == "python"
    assert row.endswith("python3")
    assert (result.returncode, result.stderr) == (0, "")


def test_the_wide_table_has_the_distribution_the_parameters_and_the_command(
    run_here: Run, tmp_path: Path
) -> None:
    parameters = {"properties": {"cores": {"type": "integer"}, "size": {}}}
    write_kernelspec(tmp_path, "mine", argv=["my prog", "-f"], metadata={"parameters": parameters})

    result = run_here("list", "-o", "wide", JUPYTER_PATH=str(tmp_path))

    (row,) = (row for row in result.stdout.splitlines() if row.startswith("spec/mine "))
    assert "kernel-mgmt " in row
    assert " cores,size " in row
    assert " 'my prog' -f " in row


def test_json_has_every_key_of_each_and_the_kernelspecs_as_jupyter_has_them(
    run_here: Run, tmp_path: Path
) -> None:
    folder = write_kernelspec(tmp_path, "mine")

    told = json.loads(run_here("ls", "-o", "json", JUPYTER_PATH=str(tmp_path)).stdout)

    kernel = told["kernels"]["spec/mine"]
    assert (kernel["provider"], kernel["name"]) == ("spec", "mine")
    assert (kernel["language"], kernel["launch_parameters"]) == ("lang", None)
    assert told["kernelspecs"]["mine"] == {
        "resource_dir": str(folder),
        "spec": {
            "argv": ["prog"],
            "env": {},
            "display_name": "A kernel",
            "language": "lang",
            "interrupt_mode": "signal",
            "metadata": {},
        },
    }
    assert set(told) == {"kernels", "kernelspecs", "problems"}
    assert "kernel" not in told["kernelspecs"]


def test_what_is_broken_is_told_on_stderr_and_in_the_json(run_here: Run, tmp_path: Path) -> None:
    folder = write_kernelspec(tmp_path, "mine", argv=[])

    result = run_here("list", "-o", "json", JUPYTER_PATH=str(tmp_path))

    (problem,) = json.loads(result.stdout)["problems"]
    assert (problem["provider"], problem["name"]) == ("spec", "mine")
    assert problem["path"] == str(folder / "kernel.json")
    assert "argv is empty" in result.stderr
    assert result.returncode == 0


def test_what_is_not_json_is_told_and_hides_no_other(run_here: Run, tmp_path: Path) -> None:
    env = install_provider(
        tmp_path / "site",
        """
        def find_kernels(self):
            yield "bad", {"metadata": {"number": float("nan")}}
            yield "odd", {"metadata": {"object": object}}
        """,
    )

    result = run_here("list", "-o", "json", "-p", "oblong", **env)

    assert list(json.loads(result.stdout)["kernels"]) == ["oblong/odd"]
    assert "oblong/bad: its attributes are not JSON" in result.stderr


def test_one_provider_is_listed_alone(run_here: Run, tmp_path: Path) -> None:
    env = install_provider(tmp_path / "site", "def find_kernels(self):\n    raise OSError('no')")

    one = run_here("list", "-p", "pyimport", "-o", "name", **env)
    other = run_here("list", "-p", "oblong", "-o", "name", **env)
    unknown = run_here("list", "-p", "pyimpot", **env)

    assert (one.stdout, one.stderr) == ("pyimport/kernel\n", "")
    assert "find_kernels raised OSError: no" in other.stderr
    assert (other.returncode, other.stdout) == (3, "")
    assert "did you mean 'pyimport'?" in unknown.stderr
    assert unknown.returncode == 3


def test_text_of_strangers_steers_no_terminal(run_here: Run, tmp_path: Path) -> None:
    write_kernelspec(tmp_path, "mine", display_name="\x1b[2J\nspec/fake", language="日本語")

    result = run_here("list", JUPYTER_PATH=str(tmp_path))

    assert r" \x1b[2J\nspec/fake " in result.stdout
    assert "\x1b" not in result.stdout


def test_a_refresh_reaches_those_that_remember(run_here: Run, tmp_path: Path) -> None:
    env = install_provider(
        tmp_path / "site",
        """
        names = ["old"]

        def refresh(self):
            self.names = ["new"]

        def find_kernels(self):
            for name in self.names:
                yield name, {}
        """,
    )

    before = run_here("list", "-p", "oblong", "-o", "name", **env)
    after = run_here("list", "-p", "oblong", "-o", "name", "--refresh", **env)

    assert (before.stdout, after.stdout) == ("oblong/old\n", "oblong/new\n")
    assert after.stderr == ""


def test_a_refresh_says_so_where_nothing_is_remembered(run_here: Run) -> None:
    # The one of gateways does.
    told = run_here("list", "--refresh", KERNEL_MGMT_DENY="gateway/*").stderr

    assert "No provider remembers" in told


def test_at_a_terminal_the_wait_for_a_slow_provider_is_shown(
    terminal: Terminal, tmp_path: Path
) -> None:
    child = terminal("list", **install_provider(tmp_path / "site", SLOW))

    child.expect_exact("Waiting for the providers")
    child.expect_exact("oblong/x")
    child.expect(pexpect.EOF)


def test_in_a_pipe_the_wait_is_silent(run_here: Run, tmp_path: Path) -> None:
    result = run_here("list", **install_provider(tmp_path / "site", SLOW))

    assert "oblong/x" in result.stdout
    assert result.stderr == ""


def test_a_listing_loads_no_module_that_takes_long() -> None:
    heavy = ["anyio", "asyncio", "jsonschema", "msgspec", "nbformat", "prompt_toolkit", "psutil"]
    heavy += ["rich", "trio", "zmq", "kernel_mgmt.client", "kernel_mgmt_subprocess"]
    code = (
        "import sys; from kernel_mgmt.cli import main; main(['list']);"
        f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert "spec/python3" in result.stdout
    assert result.stderr.strip() == "[]"
