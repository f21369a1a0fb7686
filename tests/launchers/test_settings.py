"""The settings of providers and kernelspecs."""

from __future__ import annotations

from typing import Any

import pytest

from kernel_mgmt_subprocess import LaunchSettings


def test_without_a_configuration_there_are_no_settings() -> None:
    assert LaunchSettings().of("a", {}) == {}


def test_a_kernel_by_name_goes_before_metadata_and_that_before_all_kernels() -> None:
    config = {
        "transport": "tcp",
        "encryption": "required",
        "interrupt_mode": "signal",
        "kernels": {"A": {"transport": "auto"}},
    }
    metadata = {"kernel_mgmt": {"transport": "ipc", "interrupt_mode": "message", "colour": "red"}}

    assert LaunchSettings(config).of("a", metadata) == {
        "transport": "auto",
        "encryption": "required",
        "interrupt_mode": "message",
    }
    assert LaunchSettings(config).of("b", metadata)["transport"] == "ipc"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"transport": "udp"}, "'udp' for transport; use one of auto, ipc, tcp"),
        ({"encrypted": True}, "'encrypted'; there are transport, encryption, handshake"),
        ({"kernels": {"a": {"encryption": "on"}}}, "kernels.a has 'on' for encryption"),
        ({"kernels": ["a"]}, r"kernels should be a table of settings, and is \['a'\]"),
        ({"kernels": {"a": "tcp"}}, "kernels.a should be a table of settings"),
    ],
)
def test_a_setting_that_is_none_is_told(config: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LaunchSettings(config)


@pytest.mark.parametrize("own", ["tcp", {"transport": 1}, {"interrupt_mode": "never"}])
def test_a_setting_of_a_kernelspec_that_is_none_is_told(own: object) -> None:
    with pytest.raises(ValueError, match=r"metadata\.kernel_mgmt"):
        LaunchSettings().of("a", {"kernel_mgmt": own})
