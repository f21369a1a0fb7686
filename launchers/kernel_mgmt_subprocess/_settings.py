"""How kernels are launched where the options of a launch do not say it: configuration and metadata.

::

    [providers.spec]
    encryption = "required"

    [providers.spec.kernels.deno]
    transport = "tcp"
    interrupt_mode = "message"

A kernelspec has the same settings for itself, as ``{"metadata": {"kernel_mgmt": {...}}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

_CHOICES = {
    "transport": ("auto", "ipc", "tcp"),
    "encryption": ("auto", "disabled", "required"),
    "handshake": ("auto", "disabled"),
    "interrupt_mode": ("message", "signal", "unsupported"),
}
_METADATA_KEY = "kernel_mgmt"


class LaunchSettings:
    """What a provider was configured to do.

    :param config: the provider's section of the configuration: the settings ``transport``,
        ``encryption``, ``handshake`` and ``interrupt_mode`` for all kernels, and under ``kernels``
        for those of a name, which go before what a kernelspec says
    :raises ValueError: if there is no such setting, or a setting has no such value
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        section = dict(config or {})
        kernels = _mapping(section.pop("kernels", {}), "kernels")
        self._all = _checked(section, "the configuration")
        self._kernels = {
            name.lower(): _checked(settings, f"kernels.{name}")
            for name, settings in kernels.items()
        }

    def of(self, kernel_name: str, metadata: Mapping[str, Any]) -> dict[str, str]:
        """Return the settings for a kernel.

        :param metadata: that of its kernelspec
        :raises ValueError: if a setting in it has no such value
        """
        own = _mapping(metadata.get(_METADATA_KEY, {}), f"metadata.{_METADATA_KEY}")
        known = {key: value for key, value in own.items() if key in _CHOICES}
        own_settings = _checked(known, f"metadata.{_METADATA_KEY}")
        return {**self._all, **own_settings, **self._kernels.get(kernel_name.lower(), {})}


def _checked(settings: object, where: str) -> dict[str, str]:
    checked = _mapping(settings, where)
    for key, value in checked.items():
        if key not in _CHOICES:
            raise ValueError(f"{where} has {key!r}; there are {', '.join(_CHOICES)}")
        if value not in _CHOICES[key]:
            choices = ", ".join(_CHOICES[key])
            raise ValueError(f"{where} has {value!r} for {key}; use one of {choices}")
    return dict(checked)


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    raise ValueError(f"{where} should be a table of settings, and is {value!r}")
