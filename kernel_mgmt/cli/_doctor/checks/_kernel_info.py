"""Oddity 7: a ``kernel_info_reply`` without what belongs into it (messaging spec 5.5)."""

from __future__ import annotations

from typing import Any, cast

from kernel_mgmt.cli._doctor._findings import Finding, note, ok
from kernel_mgmt.cli._doctor._subject import RunningKernel, Subject

_FIELDS = (
    "status",
    "protocol_version",
    "implementation",
    "implementation_version",
    "banner",
    "supported_features",
    "language_info",
)
_LANGUAGE_FIELDS = ("name", "version", "mimetype", "file_extension")


async def check(_subject: Subject, kernel: RunningKernel) -> Finding:
    info = kernel.info
    language: object = info.get("language_info")
    told = cast("dict[str, Any]", language if isinstance(language, dict) else {})
    missing = [name for name in _FIELDS if name not in info]
    missing += [f"language_info.{name}" for name in _LANGUAGE_FIELDS if name not in told]
    if not missing:
        return ok(f"is complete, and says protocol {info['protocol_version']}")
    return note(f"lacks {', '.join(missing)}", "kernel_mgmt needs none of it")
