"""How a launch chooses transport, encryption and the way to interrupt."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.types import KernelAttributes, LaunchOptions
from kernel_mgmt_subprocess import (
    LaunchSettings,
    SubprocessIPCKernelLauncher,
    SubprocessLauncher,
    make_launcher,
    plan_launch,
)

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
XPYTHON = ["python", "-m", "xpython_launcher", "-f", "{connection_file}"]
DENO = ["deno", "jupyter", "--kernel", "--conn", "{connection_file}"]
IJAVASCRIPT = ["node", "/lib/ijavascript/lib/kernel.js", "{connection_file}"]
OTHER = ["other", "{connection_file}"]

needs_ipc = pytest.mark.skipif(sys.platform == "win32", reason="ZeroMQ has no ipc on Windows")


def chosen(
    argv: list[str],
    options: LaunchOptions | None = None,
    *,
    metadata: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    interrupt_mode: Any = "signal",
    curve: bool = True,
) -> SubprocessLauncher:
    """The launcher for a kernel named ``a``."""
    attributes: KernelAttributes = {
        "argv": argv,
        "interrupt_mode": interrupt_mode,
        "metadata": dict(metadata or {}),
    }
    return make_launcher(
        attributes,
        kernel_name="a",
        options=options,
        settings=LaunchSettings(config),
        has_curve=lambda: curve,
    )


@needs_ipc
@pytest.mark.parametrize(
    ("argv", "transport"),
    [(IPYKERNEL, "ipc"), (XPYTHON, "tcp"), (DENO, "tcp"), (OTHER, "tcp")],
)
def test_only_kernels_that_are_known_to_speak_ipc_get_it_unasked(
    argv: list[str], transport: str
) -> None:
    assert chosen(argv).transport == transport


@needs_ipc
@pytest.mark.parametrize("argv", [IPYKERNEL, XPYTHON, OTHER])
@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_the_transport_that_is_asked_for_is_taken(argv: list[str], transport: Any) -> None:
    assert chosen(argv, LaunchOptions(transport=transport)).transport == transport


@needs_ipc
def test_ipc_is_refused_for_a_kernel_that_is_known_not_to_speak_it() -> None:
    with pytest.raises(LaunchOptionError, match="deno family cannot do ipc"):
        chosen(DENO, LaunchOptions(transport="ipc"))


@pytest.mark.skipif(sys.platform != "win32", reason="elsewhere: only Windows has no ipc")
def test_ipc_is_refused_on_windows() -> None:
    with pytest.raises(LaunchOptionError, match="Windows"):
        chosen(IPYKERNEL, LaunchOptions(transport="ipc"))


@needs_ipc
def test_a_kernelspec_may_know_better_what_the_kernel_speaks() -> None:
    metadata = {"kernel_mgmt": {"transport": "ipc"}}

    assert chosen(DENO, metadata=metadata).transport == "ipc"
    assert chosen(DENO, LaunchOptions(transport="ipc"), metadata=metadata).transport == "ipc"
    assert chosen(DENO, LaunchOptions(transport="tcp"), metadata=metadata).transport == "tcp"


@needs_ipc
def test_the_path_of_a_socket_is_as_short_as_the_kernel_needs_it() -> None:
    xeus = chosen(XPYTHON, LaunchOptions(transport="ipc"))
    other = chosen(OTHER, LaunchOptions(transport="ipc"))

    assert isinstance(xeus, SubprocessIPCKernelLauncher)
    assert isinstance(other, SubprocessIPCKernelLauncher)
    assert xeus.socket_path_limit == 25
    assert other.socket_path_limit == SubprocessIPCKernelLauncher.socket_path_limit


@pytest.mark.parametrize(
    ("listed", "encrypts"),
    [
        (["curve"], True),
        (["other", " CURVE"], True),
        ("curve", True),
        (["other"], False),
        ([], False),
        (None, False),
        ("curvy", False),
        ({"curve": True}, False),
        ([1], False),
        (7, False),
    ],
)
def test_messages_over_tcp_are_encrypted_where_the_kernel_says_that_it_can(
    listed: object, encrypts: bool
) -> None:
    launcher = chosen(OTHER, metadata={"supported_encryption": listed})

    assert launcher.encrypt is encrypts


@needs_ipc
def test_messages_over_ipc_are_encrypted_only_if_that_is_required() -> None:
    metadata = {"supported_encryption": ["curve"]}

    unasked = chosen(IPYKERNEL, metadata=metadata)
    required = chosen(IPYKERNEL, LaunchOptions(encryption="required"), metadata=metadata)

    assert (unasked.transport, unasked.encrypt) == ("ipc", False)
    assert (required.transport, required.encrypt) == ("ipc", True)


def test_encryption_can_be_disabled() -> None:
    metadata = {"supported_encryption": ["curve"]}

    assert not chosen(OTHER, LaunchOptions(encryption="disabled"), metadata=metadata).encrypt


def test_required_encryption_names_what_the_kernel_lacks() -> None:
    with pytest.raises(LaunchOptionError, match=r"supported_encryption .* does not list 'curve'"):
        chosen(OTHER, LaunchOptions(encryption="required"))


def test_without_curve_messages_go_in_plain_text_unless_encryption_is_required() -> None:
    metadata = {"supported_encryption": ["curve"]}

    assert not chosen(OTHER, metadata=metadata, curve=False).encrypt
    with pytest.raises(LaunchOptionError, match="libzmq was built without CURVE"):
        chosen(OTHER, LaunchOptions(encryption="required"), metadata=metadata, curve=False)


@pytest.mark.parametrize("option", ["transport", "encryption"])
def test_an_option_with_another_value_is_told(option: str) -> None:
    wrong: Any = {option: "some"}

    with pytest.raises(LaunchOptionError, match="there is no 'some'"):
        chosen(OTHER, LaunchOptions(**wrong))


def test_the_configuration_says_what_options_leave_open() -> None:
    metadata = {"supported_encryption": ["curve"]}
    config = {"encryption": "required", "kernels": {"a": {"transport": "tcp"}}}

    configured = chosen(IPYKERNEL, metadata=metadata, config=config)
    asked = LaunchOptions(encryption="disabled")

    assert (configured.transport, configured.encrypt) == ("tcp", True)
    assert not chosen(IPYKERNEL, asked, metadata=metadata, config=config).encrypt


@pytest.mark.parametrize(
    ("argv", "told", "mode"),
    [
        (IPYKERNEL, "signal", "signal"),
        (OTHER, "signal", "signal"),
        (OTHER, "message", "message"),
        (DENO, "signal", "message"),
        (XPYTHON, "signal", "unsupported"),
        (XPYTHON, "message", "message"),
        (IJAVASCRIPT, "signal", "unsupported"),
    ],
)
def test_a_kernel_is_interrupted_as_is_known_of_its_kind(
    argv: list[str], told: str, mode: str
) -> None:
    assert chosen(argv, interrupt_mode=told).interrupt_mode == mode


def test_a_kernelspec_and_the_configuration_may_know_better_how_to_interrupt() -> None:
    metadata = {"kernel_mgmt": {"interrupt_mode": "signal"}}
    config = {"kernels": {"a": {"interrupt_mode": "message"}}}

    assert chosen(XPYTHON, metadata=metadata).interrupt_mode == "signal"
    assert chosen(XPYTHON, metadata=metadata, config=config).interrupt_mode == "message"


def test_metadata_that_says_nonsense_is_told() -> None:
    with pytest.raises(KernelLaunchError, match=r"metadata\.kernel_mgmt has 'udp' for transport"):
        chosen(OTHER, metadata={"kernel_mgmt": {"transport": "udp"}})


def test_what_the_provider_tells_reaches_the_launcher() -> None:
    attributes: KernelAttributes = {"argv": OTHER, "env": {"A": "a"}, "resource_dir": "/r"}

    launcher = make_launcher(attributes, "/c", {"size": 3}, kernel_name="a", runtime_dir="/d")

    assert (launcher.kernel_cmd, launcher.extra_env) == (OTHER, {"A": "a"})
    assert (launcher.cwd, launcher.resource_dir) == ("/c", "/r")
    assert (launcher.launch_params, launcher.kernel_name) == ({"size": 3}, "a")


def test_a_plan_tells_what_a_launcher_would_do() -> None:
    attributes: KernelAttributes = {
        "argv": DENO,
        "metadata": {"supported_encryption": "curve"},
        "kernel_protocol_version": "5.6",
    }

    plan = plan_launch(attributes, kernel_name="a", has_curve=lambda: True)

    assert plan == {
        "transport": "tcp",
        "encryption": "curve",
        "interrupt_mode": "message",
        "handshake": True,
    }


def test_a_plan_follows_the_options_of_a_launch() -> None:
    options = LaunchOptions(transport="tcp", encryption="disabled")

    plan = plan_launch({"argv": IPYKERNEL}, kernel_name="a", options=options)

    assert (plan["transport"], plan["encryption"]) == ("tcp", "none")
