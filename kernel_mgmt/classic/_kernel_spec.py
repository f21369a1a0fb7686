"""What a provider tells about a kernel type, in the form of jupyter_client's kernelspecs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from kernel_mgmt.types import JSONDict, KernelAttributes

__all__ = ("KernelSpec",)


@dataclass(frozen=True)
class KernelSpec:
    """What is known of a kernel type.

    :ivar name: its full name, such as ``"spec/python3"``
    :ivar argv: its command, if it has one
    :ivar asked_for: the name that it was asked for by, such as ``"python3"``
    :ivar resource_dir: the directory of its kernelspec; empty if it has none
    """

    name: str
    asked_for: str
    argv: list[str]
    display_name: str
    language: str
    env: Mapping[str, str]
    resource_dir: str
    interrupt_mode: str
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, attributes: KernelAttributes, asked_for: str) -> Self:
        """Make one of what a finder returns."""
        return cls(
            name,
            asked_for,
            list(attributes.get("argv", ())),
            attributes.get("display_name", name),
            attributes.get("language", ""),
            attributes.get("env", {}),
            attributes.get("resource_dir", ""),
            attributes.get("interrupt_mode", "signal"),
            attributes.get("metadata", {}),
        )

    def to_dict(self) -> JSONDict:
        """Return what a ``kernel.json`` would say."""
        return {
            "argv": list(self.argv),
            "display_name": self.display_name,
            "language": self.language,
            "env": dict(self.env),
            "interrupt_mode": self.interrupt_mode,
            "metadata": dict(self.metadata),
        }
