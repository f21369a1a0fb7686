"""Choose how to launch a kernel: its transport, its encryption and the way it is interrupted."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, cast

from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.types import (
    ConnectionInfo,
    KernelAttributes,
    LaunchOptions,
    LaunchParams,
    LaunchPlan,
)

from ._families import KernelFamily, find_family
from ._handshake import SubprocessHandshakeKernelLauncher
from ._ipc import SubprocessIPCKernelLauncher
from ._launcher import SubprocessLauncher
from ._settings import LaunchSettings
from ._tcp import SubprocessKernelLauncher


def _has_curve() -> bool:
    import zmq

    return zmq.has("curve")


def plan_launch(
    attributes: KernelAttributes,
    *,
    kernel_name: str,
    options: LaunchOptions | None = None,
    settings: LaunchSettings | None = None,
    has_curve: Callable[[], bool] = _has_curve,
) -> LaunchPlan:
    """Tell how :func:`make_launcher` would have a kernel type launched.

    The arguments are those of that function, and so are the errors.
    """
    options = LaunchOptions() if options is None else options
    argv, metadata = attributes.get("argv", []), attributes.get("metadata", {})
    chosen = _settings_of(settings or LaunchSettings(), kernel_name, metadata, argv)
    family = find_family(argv) if argv else None
    asked = _first_choice(options.transport, _transport_of(options.connection_info))
    transport = _choose_transport(asked, chosen.get("transport", "auto"), family)
    encryption = _first_choice(options.encryption, chosen.get("encryption", "auto"))
    encrypts = _chooses_curve(encryption, transport, metadata, has_curve)
    is_first = options.connection_info is None
    mode = _choose_interrupt_mode(attributes, chosen.get("interrupt_mode"), family)
    return {
        "transport": transport,
        "encryption": "curve" if encrypts else "none",
        "interrupt_mode": mode,
        "handshake": transport == "tcp" and is_first and _can_register(attributes, chosen),
    }


def make_launcher(
    attributes: KernelAttributes,
    cwd: str | PathLike[str] | None = None,
    launch_params: LaunchParams | None = None,
    *,
    kernel_name: str,
    options: LaunchOptions | None = None,
    settings: LaunchSettings | None = None,
    runtime_dir: str | PathLike[str] | None = None,
    has_curve: Callable[[], bool] = _has_curve,
) -> SubprocessLauncher:
    """Make the launcher that fits a kernel type.

    What is asked for goes before what is configured, and that before what is known of kernels of
    its kind. Over ipc goes what is known to speak it, in plain text, since nobody else can get at
    the sockets; all else goes over tcp, encrypted where the kernel says that it can, and on ports of
    its own choice where it knows the handshake of JEP 66.

    :param attributes: what its provider tells about it
    :param kernel_name: its name, within its provider
    :param settings: what its provider was configured to do
    :param has_curve: tells whether this libzmq can encrypt
    :raises LaunchOptionError: if the transport or the encryption that is asked for cannot be had
    :raises KernelLaunchError: if the metadata of the kernel type has a setting that is none
    """
    plan = plan_launch(
        attributes,
        kernel_name=kernel_name,
        options=options,
        settings=settings,
        has_curve=has_curve,
    )
    argv = attributes.get("argv", [])
    family = find_family(argv) if argv else None
    launcher_class = _LAUNCHERS[plan["transport"]]
    if plan["handshake"]:
        launcher_class = SubprocessHandshakeKernelLauncher
    launcher = launcher_class(
        argv,
        cwd,
        attributes.get("env", {}),
        launch_params=launch_params,
        options=options,
        interrupt_mode=plan["interrupt_mode"],
        encrypt=plan["encryption"] == "curve",
        resource_dir=attributes.get("resource_dir"),
        kernel_name=kernel_name,
        runtime_dir=runtime_dir,
    )
    if isinstance(launcher, SubprocessIPCKernelLauncher) and family and family.socket_path_limit:
        launcher.socket_path_limit = family.socket_path_limit
    return launcher


# JEP 66 says 5.5, which ipykernel claims without knowing a handshake; the specification says 5.6.
_FIRST_WITH_HANDSHAKE = (5, 6)
_LAUNCHERS: Mapping[str, type[SubprocessLauncher]] = {
    "ipc": SubprocessIPCKernelLauncher,
    "tcp": SubprocessKernelLauncher,
}


def _settings_of(
    settings: LaunchSettings, kernel_name: str, metadata: Mapping[str, Any], argv: Sequence[str]
) -> dict[str, str]:
    try:
        return settings.of(kernel_name, metadata)
    except ValueError as error:
        raise KernelLaunchError(
            f"The kernel type cannot be launched: {error}", argv=argv
        ) from error


def _transport_of(connection_info: ConnectionInfo | None) -> str:
    return "auto" if connection_info is None else connection_info.get("transport") or "auto"


def _first_choice(*choices: str) -> str:
    return next((choice for choice in choices if choice != "auto"), "auto")


def _choose_transport(asked: str, configured: str, family: KernelFamily | None) -> str:
    transport = _first_choice(asked, configured)
    if transport == "auto":
        knows_ipc = family is not None and bool(family.ipc) and sys.platform != "win32"
        return "ipc" if knows_ipc else "tcp"
    if transport not in _LAUNCHERS:
        raise LaunchOptionError("transport", f"there is no {transport!r}; use auto, ipc or tcp")
    if transport == "ipc" and sys.platform == "win32":
        raise LaunchOptionError("transport", "ZeroMQ has no ipc on Windows")
    if transport == "ipc" and configured != "ipc" and family is not None and family.ipc is False:
        raise LaunchOptionError("transport", f"kernels of the {family.name} family cannot do ipc")
    return transport


def _can_register(attributes: KernelAttributes, chosen: Mapping[str, str]) -> bool:
    version = re.match(r"(\d+)\.(\d+)", attributes.get("kernel_protocol_version", ""))
    if version is None or chosen.get("handshake") == "disabled":
        return False
    return (int(version[1]), int(version[2])) >= _FIRST_WITH_HANDSHAKE


def _choose_interrupt_mode(
    attributes: KernelAttributes, configured: str | None, family: KernelFamily | None
) -> str:
    told = attributes.get("interrupt_mode", "signal")
    if configured is not None or told == "message":
        return configured or told
    return (family and family.interrupt_mode) or told


def _chooses_curve(
    encryption: str, transport: str, metadata: Mapping[str, Any], has_curve: Callable[[], bool]
) -> bool:
    if encryption == "disabled":
        return False
    if encryption == "required":
        if not _lists_curve(metadata):
            reason = (
                "the kernel does not say that it can encrypt: metadata.supported_encryption of its "
                "kernelspec does not list 'curve'"
            )
            raise LaunchOptionError("encryption", reason)
        if not has_curve():
            raise LaunchOptionError("encryption", "this libzmq was built without CURVE")
        return True
    if encryption != "auto":
        reason = f"there is no {encryption!r}; use auto, required or disabled"
        raise LaunchOptionError("encryption", reason)
    return transport == "tcp" and _lists_curve(metadata) and has_curve()


def _lists_curve(metadata: Mapping[str, Any]) -> bool:
    """Whether a kernelspec says that its kernel speaks CURVE: a list, or a bare string (JEP 145)."""
    listed: object = metadata.get("supported_encryption")
    names = cast("Sequence[object]", [listed] if isinstance(listed, str) else listed or ())
    return isinstance(names, list | tuple) and any(
        isinstance(name, str) and name.strip().lower() == "curve" for name in names
    )
