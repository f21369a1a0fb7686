"""The directories of Jupyter, as ``jupyter --paths`` tells them.

Environment variables are read at each call. What else the directories depend on is an
:class:`Interpreter`, by default the running one.
"""

from __future__ import annotations

import os
import site
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from platformdirs.api import PlatformDirsABC

__all__ = (
    "Interpreter",
    "jupyter_config_dir",
    "jupyter_config_path",
    "jupyter_data_dir",
    "jupyter_path",
    "jupyter_runtime_dir",
    "kernel_search_path",
    "make_runtime_dir",
    "system_jupyter_path",
)


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter, as far as the directories of Jupyter depend on it.

    :ivar platform: as ``sys.platform``
    :ivar prefix: as ``sys.prefix``
    :ivar base_prefix: as ``sys.base_prefix``; another than ``prefix`` in a virtual environment
    :ivar user_base: the base of the user's site-packages, or ``None`` if they are not enabled
    """

    platform: str
    prefix: str
    base_prefix: str
    user_base: str | None

    @classmethod
    def running(cls) -> Interpreter:
        """Describe the interpreter that runs this."""
        user_base = site.getuserbase() if site.ENABLE_USER_SITE else None
        return cls(sys.platform, sys.prefix, sys.base_prefix, user_base)


def jupyter_data_dir(interpreter: Interpreter | None = None) -> str:
    """Return the user's directory for data files."""
    interpreter = interpreter or Interpreter.running()
    if explicit := os.environ.get("JUPYTER_DATA_DIR"):
        return explicit
    if _is_set("JUPYTER_PLATFORM_DIRS"):
        return _platform_dirs(interpreter).user_data_dir
    if interpreter.platform == "darwin":
        return os.path.join(_home(), "Library", "Jupyter")
    if interpreter.platform == "win32":
        return _windows_data_dir(interpreter)
    data_home = os.environ.get("XDG_DATA_HOME") or os.path.join(_home(), ".local", "share")
    return os.path.join(data_home, "jupyter")


def jupyter_config_dir(interpreter: Interpreter | None = None) -> str:
    """Return the user's directory for configuration files."""
    if explicit := os.environ.get("JUPYTER_CONFIG_DIR"):
        return explicit
    if _is_set("JUPYTER_PLATFORM_DIRS"):
        return _platform_dirs(interpreter or Interpreter.running()).user_config_dir
    return os.path.join(_home(), ".jupyter")


def jupyter_runtime_dir(interpreter: Interpreter | None = None) -> str:
    """Return the user's directory for connection files and other files that do not last."""
    if explicit := os.environ.get("JUPYTER_RUNTIME_DIR"):
        return explicit
    return os.path.join(jupyter_data_dir(interpreter), "runtime")


def make_runtime_dir() -> str:
    """Return the runtime directory, made with the mode 0700 if it is not there.

    :raises OSError: if it cannot be made
    """
    directory = jupyter_runtime_dir()
    os.makedirs(directory, mode=0o700, exist_ok=True)
    return directory


def jupyter_path(*subdirs: str, interpreter: Interpreter | None = None) -> list[str]:
    """Return the directories that are searched for data files; the first has precedence.

    :param subdirs: is appended to each directory
    """
    interpreter = interpreter or Interpreter.running()
    user = _user_dirs(jupyter_data_dir(interpreter), interpreter, "share")
    system = system_jupyter_path(interpreter)
    paths = _in_precedence("JUPYTER_PATH", user, system, interpreter, "share")
    paths += [path for path in system if path not in paths]
    return [os.path.join(path, *subdirs) for path in paths]


def jupyter_config_path(interpreter: Interpreter | None = None) -> list[str]:
    """Return the directories that are searched for configuration; the first has precedence.

    It is empty if ``JUPYTER_NO_CONFIG`` is set, where Jupyter itself names an empty directory.
    """
    if os.environ.get("JUPYTER_NO_CONFIG"):
        return []
    interpreter = interpreter or Interpreter.running()
    user = _user_dirs(jupyter_config_dir(interpreter), interpreter, "etc")
    system = _system_config_path(interpreter)
    paths = _in_precedence("JUPYTER_CONFIG_PATH", user, system, interpreter, "etc")
    return paths if system == [_environment_dir(interpreter, "etc")] else paths + system


def kernel_search_path(interpreter: Interpreter | None = None) -> list[str]:
    """Return the directories that are searched for kernelspecs; the first has precedence.

    The last one is IPython's own, from before there was Jupyter. Any of them may not exist.
    """
    ipython_dir = os.environ.get("IPYTHONDIR") or os.path.join(_home(), ".ipython")
    kernels = os.path.join(os.path.expanduser(ipython_dir), "kernels")
    return [*jupyter_path("kernels", interpreter=interpreter), kernels]


def system_jupyter_path(interpreter: Interpreter | None = None) -> list[str]:
    """Return the directories for data files that all users share."""
    interpreter = interpreter or Interpreter.running()
    if interpreter.platform == "win32" and not _trusts_program_data():
        return [_environment_dir(interpreter, "share")]
    if _is_set("JUPYTER_PLATFORM_DIRS"):
        return _platform_dirs(interpreter).site_data_dir.split(os.pathsep)
    if interpreter.platform == "win32":
        return [_program_data_dir() or _environment_dir(interpreter, "share")]
    return ["/usr/local/share/jupyter", "/usr/share/jupyter"]


def _system_config_path(interpreter: Interpreter) -> list[str]:
    if interpreter.platform == "win32" and not _trusts_program_data():
        return [_environment_dir(interpreter, "etc")]
    if _is_set("JUPYTER_PLATFORM_DIRS"):
        return _platform_dirs(interpreter).site_config_dir.split(os.pathsep)
    if interpreter.platform == "win32":
        return [_program_data_dir() or _environment_dir(interpreter, "etc")]
    return ["/usr/local/etc/jupyter", "/etc/jupyter"]


def _in_precedence(
    variable: str, user: list[str], system: list[str], interpreter: Interpreter, subdir: str
) -> list[str]:
    explicit = os.environ.get(variable)
    paths = [path.rstrip(os.sep) for path in explicit.split(os.pathsep)] if explicit else []
    environment = [_environment_dir(interpreter, subdir)]
    # Windows has no system prefix of its own: there the environment's directory is both.
    if environment != system and environment[0] in system:
        environment = []
    if _prefers_environment(interpreter):
        return paths + environment + user
    return paths + user + environment


def _user_dirs(first: str, interpreter: Interpreter, subdir: str) -> list[str]:
    if not interpreter.user_base:
        return [first]
    second = _tidy(os.path.join(interpreter.user_base, subdir, "jupyter"))
    return [first] if first == second else [first, second]


def _environment_dir(interpreter: Interpreter, subdir: str) -> str:
    return _tidy(os.path.join(interpreter.prefix, subdir, "jupyter"))


def _prefers_environment(interpreter: Interpreter) -> bool:
    if "JUPYTER_PREFER_ENV_PATH" in os.environ:
        return _is_set("JUPYTER_PREFER_ENV_PATH")
    is_venv = interpreter.prefix != interpreter.base_prefix
    return (is_venv or _is_conda_environment(interpreter)) and _is_own(interpreter.prefix)


def _is_conda_environment(interpreter: Interpreter) -> bool:
    conda_prefix = os.environ.get("CONDA_PREFIX")
    return (
        conda_prefix is not None
        and interpreter.prefix.startswith(conda_prefix)
        and os.environ.get("CONDA_DEFAULT_ENV", "base") != "base"
    )


def _is_own(path: str) -> bool:
    """Tell whether the user owns the path, or else the nearest directory above that exists."""
    while True:
        try:
            owner = os.stat(path).st_uid
            break
        except OSError:
            path, below = os.path.dirname(os.path.realpath(path)), path
            if path == below:
                return False
    if not hasattr(os, "geteuid"):
        return os.access(path, os.W_OK)
    return owner == os.geteuid() or owner == _login_uid()


def _login_uid() -> int | None:
    """The user who logged in: not the one who runs this, where that is by ``sudo``."""
    import pwd

    try:
        return pwd.getpwnam(os.getlogin()).pw_uid
    except (OSError, KeyError):
        return None


def _platform_dirs(interpreter: Interpreter) -> PlatformDirsABC:
    is_homebrew = interpreter.prefix.startswith("/opt/homebrew")
    if interpreter.platform == "win32":
        from platformdirs.windows import Windows

        return Windows("Jupyter", appauthor=False)
    if interpreter.platform == "darwin":
        from platformdirs.macos import MacOS

        return MacOS("jupyter" if is_homebrew else "Jupyter", appauthor=False, multipath=True)
    from platformdirs.unix import Unix

    return Unix("jupyter", appauthor=False, multipath=True)


def _windows_data_dir(interpreter: Interpreter) -> str:
    if app_data := os.environ.get("APPDATA"):
        return os.path.realpath(os.path.join(app_data, "jupyter"))
    return os.path.join(jupyter_config_dir(interpreter), "data")


def _trusts_program_data() -> bool:
    return _is_set("JUPYTER_USE_PROGRAMDATA")


def _program_data_dir() -> str | None:
    program_data = os.environ.get("PROGRAMDATA")
    return os.path.join(program_data, "jupyter") if program_data else None


def _is_set(variable: str) -> bool:
    value = os.environ.get(variable, "no")
    return value.lower() not in {"no", "n", "false", "off", "0", "0.0"}


def _home() -> str:
    return os.path.realpath(os.path.expanduser("~"))


def _tidy(path: str) -> str:
    if os.path.normpath(path) == path:
        return path
    # As jupyter_core has it: `..` stays, since it may stand behind a symbolic link.
    from pathlib import Path

    return str(Path(path))
