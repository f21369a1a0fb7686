"""What a gateway tells of its kernelspecs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from kernel_mgmt.types import KernelAttributes

if TYPE_CHECKING:
    from ._settings import GatewaySettings

__all__ = ("KernelTypes", "attributes_of", "kernel_types_of", "resource_paths")

# A gateway has no way to be given launch parameters, so that it must not seem to.
_SCHEMA_KEYS = ("parameters", "launch_parameter_schema")


@dataclass(frozen=True)
class KernelTypes:
    """The kernel types of a gateway.

    :ivar default: the name of the one for those who name none, if the gateway tells
    :ivar odd: the names of those that cannot be used
    """

    attributes: Mapping[str, KernelAttributes] = field(default_factory=dict[str, KernelAttributes])
    default: str | None = None
    odd: tuple[str, ...] = ()


def kernel_types_of(listing: object, settings: GatewaySettings) -> KernelTypes:
    """Read the answer to the request for all kernelspecs.

    :raises ValueError: if it is none
    """
    told = _mapping(listing)
    kernelspecs = _mapping(told.get("kernelspecs"))
    attributes: dict[str, KernelAttributes] = {}
    odd: list[str] = []
    for name, model in kernelspecs.items():
        try:
            attributes[name] = attributes_of(model, settings)
        except ValueError:
            odd.append(name)
    default = told.get("default")
    return KernelTypes(attributes, default if isinstance(default, str) else None, tuple(odd))


def attributes_of(model: object, settings: GatewaySettings) -> KernelAttributes:
    """Read what a gateway tells of one kernelspec.

    The argv is left out: it is none of this machine. The display name tells the gateway, since there
    may be a kernel type of the same here.

    :raises ValueError: if it is no kernelspec
    """
    told = _mapping(model)
    spec = _mapping(told.get("spec"))
    metadata = spec.get("metadata")
    kept = dict(_mapping(cast("object", metadata))) if isinstance(metadata, Mapping) else {}
    for key in _SCHEMA_KEYS:
        kept.pop(key, None)
    attributes: dict[str, Any] = {
        "display_name": f"{spec.get('display_name') or told.get('name') or '?'} ({settings.label})",
        "origin": settings.url,
        "metadata": kept,
        "resources": dict(resource_paths(told.get("resources"))),
    }
    for key in ("language", "interrupt_mode", "kernel_protocol_version"):
        if isinstance(spec.get(key), str) and spec[key]:
            attributes[key] = spec[key]
    return cast("KernelAttributes", attributes)


def resource_paths(resources: object) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each resource, such as ``logo-64x64`` and ``logo-64x64.png``.

    A gateway tells their URLs, whatever stands before ``/kernelspecs/<name>/``.
    """
    if isinstance(resources, Mapping):
        for name, url in cast("Mapping[str, object]", resources).items():
            if isinstance(url, str) and "/kernelspecs/" in url:
                path = url.rpartition("/kernelspecs/")[2].partition("/")[2].partition("?")[0]
                if path:
                    yield name, path


def _mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    raise ValueError("it should be a JSON object")
