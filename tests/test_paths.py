from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kernel_mgmt.paths import (
    Interpreter,
    jupyter_config_dir,
    jupyter_config_path,
    jupyter_data_dir,
    jupyter_path,
    jupyter_runtime_dir,
    kernel_search_path,
    make_runtime_dir,
    system_jupyter_path,
)

LINUX = Interpreter("linux", "/env", "/usr", None)
MACOS = Interpreter("darwin", "/env", "/usr", None)
WINDOWS = Interpreter("win32", "/env", "/python", None)

# Run in one process: each case is a set of environment variables and a set of facts about Python.
COMPARISON = """
import importlib, json, os, site, sys
from kernel_mgmt import paths as ours

base = dict(os.environ)
real = sys.prefix, sys.base_prefix
differences = []
for case in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(base | case["environ"])
    sys.prefix, sys.base_prefix = case["prefixes"] or real
    site.ENABLE_USER_SITE = case["user_site"]
    site.USER_BASE = None
    import jupyter_core.paths as theirs
    importlib.reload(theirs)
    pairs = {
        "data dir": (ours.jupyter_data_dir(), theirs.jupyter_data_dir()),
        "runtime dir": (ours.jupyter_runtime_dir(), theirs.jupyter_runtime_dir()),
        "data": (ours.jupyter_path(), theirs.jupyter_path()),
        "kernels": (ours.jupyter_path("kernels"), theirs.jupyter_path("kernels")),
        "system": (ours.system_jupyter_path(), theirs.SYSTEM_JUPYTER_PATH),
        "config dir": (ours.jupyter_config_dir(), theirs.jupyter_config_dir()),
        "config": (ours.jupyter_config_path(), theirs.jupyter_config_path()),
    }
    differences += [(case, what, *pair) for what, pair in pairs.items() if pair[0] != pair[1]]
print(json.dumps(differences))
"""

ENVIRONMENTS: list[dict[str, str]] = [
    {},
    {"JUPYTER_PATH": "/a/:/b"},
    {"JUPYTER_PATH": "/a::/usr/share/jupyter"},
    {"JUPYTER_PATH": ""},
    {"JUPYTER_DATA_DIR": "/data"},
    {"JUPYTER_DATA_DIR": ""},
    {"JUPYTER_CONFIG_DIR": "/config"},
    {"JUPYTER_CONFIG_PATH": "/c/:/d"},
    {"JUPYTER_RUNTIME_DIR": "/runtime"},
    {"JUPYTER_RUNTIME_DIR": "", "JUPYTER_DATA_DIR": "relative"},
    {"JUPYTER_PLATFORM_DIRS": "1"},
    {"JUPYTER_PLATFORM_DIRS": "off"},
    {"JUPYTER_PLATFORM_DIRS": "1", "XDG_DATA_HOME": "/xdg", "XDG_CONFIG_HOME": "/xdgc"},
    {"JUPYTER_PLATFORM_DIRS": "1", "XDG_DATA_DIRS": "/one:/two", "XDG_CONFIG_DIRS": "/three"},
    {"JUPYTER_PLATFORM_DIRS": "1", "JUPYTER_PREFER_ENV_PATH": "0"},
    {"JUPYTER_PREFER_ENV_PATH": "1"},
    {"JUPYTER_PREFER_ENV_PATH": "0"},
    {"JUPYTER_PREFER_ENV_PATH": "No"},
    {"JUPYTER_PREFER_ENV_PATH": ""},
    {"XDG_DATA_HOME": "/xdg"},
    {"XDG_DATA_HOME": ""},
    {"XDG_RUNTIME_DIR": "/run/user/1", "XDG_DATA_DIRS": "/one"},
    {"HOME": "/"},
    {"HOME": "/nowhere/at/all"},
    {"PYTHONUSERBASE": "/user//base/"},
    {"PYTHONUSERBASE": "/user/../base"},
    {"CONDA_PREFIX": "/", "CONDA_DEFAULT_ENV": "base"},
    {"CONDA_PREFIX": "/", "CONDA_DEFAULT_ENV": "science"},
    {"CONDA_PREFIX": "/elsewhere", "CONDA_DEFAULT_ENV": "science"},
    {"CONDA_PREFIX": "/"},
]
PREFIXES: list[tuple[str, str] | None] = [
    None,
    ("/usr", "/usr"),
    ("/usr/local", "/usr/local"),
    ("/nowhere/env", "/usr"),
    ("/nowhere/env", "/nowhere/env"),
]


def test_every_directory_is_where_jupyter_core_has_it(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link").symlink_to("home")
    environments = [*ENVIRONMENTS, {"HOME": str(tmp_path / "link")}]
    cases = [
        {"environ": environ, "prefixes": prefixes, "user_site": user_site}
        for environ in environments
        for prefixes in [*PREFIXES, (str(tmp_path), "/usr"), (str(tmp_path), str(tmp_path))]
        for user_site in (True, False, None)
    ]

    completed = subprocess.run(
        [sys.executable, "-c", COMPARISON],
        input=json.dumps(cases),
        env=_without_jupyter_variables(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert completed.returncode == 0, completed.stderr
    assert json.loads(completed.stdout) == []


def test_the_search_path_loads_neither_jupyter_core_nor_platformdirs() -> None:
    script = (
        "import sys; from kernel_mgmt.paths import jupyter_path; jupyter_path();"
        "print({'jupyter_core', 'platformdirs', 'pathlib'} & set(sys.modules))"
    )

    completed = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"],
        env=_without_jupyter_variables(),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert completed.stdout.strip() == "set()", completed.stderr


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in set(os.environ) - set(_without_jupyter_variables()):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", "/home/me")


def test_macos_has_its_own_user_directory() -> None:
    assert jupyter_data_dir(MACOS) == "/home/me/Library/Jupyter"
    assert jupyter_runtime_dir(MACOS) == "/home/me/Library/Jupyter/runtime"


def test_macos_has_its_platform_directories_if_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")

    assert jupyter_data_dir(MACOS) == "/home/me/Library/Application Support/Jupyter"
    assert jupyter_config_dir(MACOS) == "/home/me/Library/Application Support/Jupyter"
    assert system_jupyter_path(MACOS) == ["/Library/Application Support/Jupyter"]


def test_homebrew_writes_jupyter_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    homebrew = Interpreter("darwin", "/opt/homebrew/opt/python", "/opt/homebrew/opt/python", None)

    assert jupyter_data_dir(homebrew) == "/home/me/Library/Application Support/jupyter"


def test_windows_keeps_data_under_appdata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPDATA", "/Users/me/AppData/Roaming")

    assert jupyter_data_dir(WINDOWS) == "/Users/me/AppData/Roaming/jupyter"


def test_windows_without_appdata_keeps_data_beside_the_configuration() -> None:
    assert jupyter_data_dir(WINDOWS) == "/home/me/.jupyter/data"


def test_windows_has_no_system_directory_but_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROGRAMDATA", "/ProgramData")
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")

    assert jupyter_path(interpreter=WINDOWS) == ["/env/share/jupyter", "/home/me/.jupyter/data"]
    assert jupyter_config_path(WINDOWS) == ["/env/etc/jupyter", "/home/me/.jupyter"]


def test_windows_trusts_programdata_if_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRAMDATA", "/ProgramData")
    monkeypatch.setenv("JUPYTER_USE_PROGRAMDATA", "1")

    assert jupyter_path(interpreter=WINDOWS)[-1] == "/ProgramData/jupyter"
    assert jupyter_config_path(WINDOWS)[-1] == "/ProgramData/jupyter"


def test_without_configuration_there_is_no_place_to_read_it_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "1")

    assert jupyter_config_path(LINUX) == []


def test_kernels_of_ipython_are_searched_last(monkeypatch: pytest.MonkeyPatch) -> None:
    default = kernel_search_path(LINUX)
    monkeypatch.setenv("IPYTHONDIR", "~/ipython")

    assert default == [*jupyter_path("kernels", interpreter=LINUX), "/home/me/.ipython/kernels"]
    assert kernel_search_path(LINUX)[-1] == "/home/me/ipython/kernels"


def test_the_runtime_directory_is_made_for_its_owner_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = tmp_path / "data" / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(wanted))

    made = [make_runtime_dir(), make_runtime_dir()]

    assert made == [str(wanted), str(wanted)]
    assert stat.S_IMODE(wanted.stat().st_mode) == 0o700


def test_a_file_in_place_of_the_runtime_directory_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "runtime").touch()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    with pytest.raises(FileExistsError):
        make_runtime_dir()


def _without_jupyter_variables() -> dict[str, str]:
    prefixes = ("JUPYTER_", "XDG_", "CONDA_", "IPYTHON", "APPDATA", "PROGRAMDATA", "PYTHONUSER")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
