"""``kernel-mgmt jupyter``: have Jupyter's servers list the kernel types of all providers."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

from kernel_mgmt.parameters._json import is_dict
from kernel_mgmt.paths import jupyter_config_dir, jupyter_config_path

from ._group import CommandGroup
from ._status import CommandError, Status
from ._terminal import print_line, say
from ._whole_file import write_whole

__all__ = ("command",)

_CLASS = "kernel_mgmt.jupyter.kernelspecs.KernelSpecManager"
# Of the files in jupyter_server_config.d, a server reads nothing but the names of extensions.
_FILE = "jupyter_server_config.json"
_APP, _TRAIT = "ServerApp", "kernel_spec_manager_class"


@click.group("jupyter", cls=CommandGroup)
def command() -> None:
    """Have Jupyter's servers list the kernel types of all providers."""


@command.command()
@click.option("--sys-prefix", is_flag=True, help="For this Python environment, not for this user.")
def enable(sys_prefix: bool) -> int:
    """Write the setting by which servers list our kernel types, from their next start on."""
    path = _path(sys_prefix=sys_prefix)
    config = _read(path)
    app = config.setdefault(_APP, {})
    if app.setdefault(_TRAIT, _CLASS) != _CLASS:
        raise CommandError(
            f"{path} sets {_APP}.{_TRAIT} to {app[_TRAIT]!r} already; remove that first",
            Status.RAISED,
        )
    _write(path, config)
    print_line(path)
    return Status.OK


@command.command()
@click.option("--sys-prefix", is_flag=True, help="For this Python environment, not for this user.")
def disable(sys_prefix: bool) -> int:
    """Remove the setting."""
    path = _path(sys_prefix=sys_prefix)
    config = _read(path)
    if not _enables(config):
        raise CommandError(f"It is not enabled in {path}", Status.RAISED)
    del config[_APP][_TRAIT]
    if not config[_APP]:
        del config[_APP]
    _write(path, config)
    say(f"Removed the setting from {path}")
    return Status.OK


@command.command()
def status() -> int:
    """Tell where the setting is; the exit status is 1 if it is nowhere."""
    paths = [os.path.join(directory, _FILE) for directory in jupyter_config_path()]
    enabled = [path for path in paths if _is_enabled_in(path)]
    for path in enabled:
        print_line(path)
    if not enabled:
        say("It is not enabled: kernel-mgmt jupyter enable")
    return Status.OK if enabled else Status.RAISED


def _path(*, sys_prefix: bool) -> str:
    directory = os.path.join(sys.prefix, "etc", "jupyter") if sys_prefix else jupyter_config_dir()
    return os.path.join(directory, _FILE)


def _is_enabled_in(path: str) -> bool:
    try:
        return _enables(_read(path))
    except (CommandError, OSError) as error:
        # The setting may be in another file.
        say(str(error))
        return False


def _enables(config: dict[str, Any]) -> bool:
    return bool(config.get(_APP, {}).get(_TRAIT) == _CLASS)


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            config: object = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise CommandError(f"{path} is not JSON: {error}", Status.RAISED) from error
    settings = config.get(_APP, {}) if is_dict(config) else None
    if not (is_dict(config) and is_dict(settings)):
        message = f"{path} should hold a JSON object, with another one as its {_APP}"
        raise CommandError(message, Status.RAISED)
    return config


def _write(path: str, config: dict[str, Any]) -> None:
    if not config:
        os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_whole(Path(path), json.dumps(config, indent=2, ensure_ascii=False) + "\n")
