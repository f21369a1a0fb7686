"""Oddity 12: silence when the key is empty, which turns signing off."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject, end
from kernel_mgmt.client import KernelClient
from kernel_mgmt.exceptions import KernelDiedError
from kernel_mgmt.parameters import validate

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo

_ADVICE = "kernel_mgmt always gives a key"


async def check(subject: Subject, kernel: RunningKernel) -> Finding:
    launcher = _launcher(subject, kernel)
    if launcher is None:
        return note("cannot be tried: its provider starts it in another way", _ADVICE)
    connection_info, manager = await _launch_without_key(launcher)
    client = KernelClient(connection_info, manager, allow_unsigned=True)
    try:
        await client.wait_for_ready(subject.patience)
    except TimeoutError:
        return note("does not answer when its key is empty", _ADVICE)
    except KernelDiedError as error:
        return note(f"ends ({error.exit_status}) when its key is empty", _ADVICE)
    finally:
        await end(client, 0)
    return ok(f"answers without a key, too; {_ADVICE}")


def _launcher(subject: Subject, kernel: RunningKernel) -> Any:
    """Make the launcher that the kernel was started by, if its record names it."""
    module, _, name = str(kernel.manager.describe().get("launcher", "")).rpartition(".")
    attributes = subject.attributes
    if not module or "argv" not in attributes:
        return None
    return getattr(import_module(module), name)(
        attributes["argv"],
        subject.cwd,
        attributes.get("env"),
        launch_params=validate(
            subject.name, attributes.get("launch_parameters"), subject.launch_params
        ),
        options=subject.options,
        resource_dir=attributes.get("resource_dir"),
        kernel_name=subject.name.partition("/")[2],
    )


async def _launch_without_key(launcher: Any) -> tuple[ConnectionInfo, KernelManagerABC]:
    make_connection_file = launcher.make_connection_file

    def make_it_without_key() -> tuple[str, ConnectionInfo]:
        path, connection_info = make_connection_file()
        connection_info["key"] = ""
        Path(path).write_text(json.dumps(connection_info), encoding="utf-8")
        return path, connection_info

    launcher.make_connection_file = make_it_without_key
    connection_info, manager = await launcher.launch()
    return connection_info, manager
