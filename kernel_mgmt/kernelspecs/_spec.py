"""What a ``kernel.json`` says, with what is odd in it put right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeGuard

from kernel_mgmt.types import JSONDict, KernelAttributes

InterruptMode: TypeAlias = Literal["signal", "message"]


class UnusableError(ValueError):
    """Raised when a kernel.json cannot be used; says why, not where."""


@dataclass(frozen=True)
class KernelSpec:
    """How to start a kernel: the content of a ``kernel.json`` (JEP 105).

    :ivar name: the name of its folder, in lower case
    :ivar path: the ``kernel.json``
    :ivar resource_dir: the folder
    :ivar argv: the command line, with placeholders such as ``{connection_file}``
    :ivar language: the name of the language; empty if it is not told
    :ivar env: what is added to the environment of the kernel; ``${VAR}`` stands for a variable
    :ivar interrupt_mode: ``"message"`` if the kernel is interrupted by a message
    :ivar kernel_protocol_version: the version of the messaging protocol, if it is told
    :ivar oddities: what is not as it should be, and what was made of it; a sentence for each
    """

    name: str
    path: str
    resource_dir: str
    argv: tuple[str, ...]
    display_name: str
    language: str
    env: Mapping[str, str]
    interrupt_mode: InterruptMode
    metadata: Mapping[str, Any]
    kernel_protocol_version: str | None
    oddities: tuple[str, ...]

    @property
    def launch_parameters(self) -> JSONDict | None:
        """The JSON schema of the launch parameters, if the kernel takes any.

        It is ``metadata.parameters`` (JEP 87), or else ``metadata.launch_parameter_schema``.
        """
        for key in _SCHEMA_KEYS:
            schema = self.metadata.get(key)
            if _is_object(schema):
                return schema
        return None

    @cached_property
    def attributes(self) -> KernelAttributes:
        """What a provider tells about this kernelspec.

        It is made once, since a listing in which nothing has changed would else be twice as slow;
        so copy it before you change it.
        """
        attributes: KernelAttributes = {
            "display_name": self.display_name,
            "language": self.language,
            "language_info": {"name": self.language},
            "argv": list(self.argv),
            "env": dict(self.env),
            "resource_dir": self.resource_dir,
            "interrupt_mode": self.interrupt_mode,
            "metadata": dict(self.metadata),
        }
        if self.kernel_protocol_version is not None:
            attributes["kernel_protocol_version"] = self.kernel_protocol_version
        if (schema := self.launch_parameters) is not None:
            attributes["launch_parameters"] = schema
        return attributes


def parse_kernel_spec(
    content: object, name: str, path: str, resource_dir: str, oddities: list[str]
) -> KernelSpec:
    """Make a kernelspec of the decoded content of a ``kernel.json``.

    :param oddities: those that were found already
    :raises UnusableError: if no kernel could be started from it
    """
    if not _is_object(content):
        raise UnusableError(f"it should hold a JSON object, and holds {_kind(content)}")
    spec = content
    return KernelSpec(
        name,
        path,
        resource_dir,
        _argv(spec),
        _text(spec, "display_name", name, oddities),
        _text(spec, "language", "", oddities),
        _env(spec["env"], oddities) if "env" in spec else {},
        _interrupt_mode(spec.get("interrupt_mode", "signal"), oddities),
        _metadata(spec["metadata"], oddities) if "metadata" in spec else {},
        _version(spec, oddities),
        tuple(oddities),
    )


_SCHEMA_KEYS = ("parameters", "launch_parameter_schema")
_KINDS: dict[type[object], str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: object) -> str:
    return _KINDS[type(value)]


def _is_object(value: object) -> TypeGuard[JSONDict]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def _argv(spec: JSONDict) -> tuple[str, ...]:
    argv: object = spec.get("argv")
    if not _is_list(argv):
        told = f"is {_kind(argv)}" if "argv" in spec else "is missing"
        raise UnusableError(f"argv {told}; it should be a list of strings")
    if not argv:
        raise UnusableError("argv is empty; it should name a program")
    return tuple(map(_argument, argv))


def _argument(item: object) -> str:
    if not isinstance(item, str):
        raise UnusableError(f"argv has {_kind(item)} in it; it should be a list of strings")
    if "\0" in item:
        raise UnusableError("argv has a null character in it, which no process can be given")
    return item


def _text(spec: JSONDict, key: str, default: str, oddities: list[str]) -> str:
    value = spec.get(key)
    if isinstance(value, str):
        return value
    told = f"is {_kind(value)}" if key in spec else "is missing"
    oddities.append(f"{key} {told}; {default!r} is used")
    return default


def _env(value: object, oddities: list[str]) -> dict[str, str]:
    if not _is_object(value):
        oddities.append(f"env is {_kind(value)} and not an object; it is left out")
        return {}
    env: dict[str, str] = {}
    for variable, setting in value.items():
        if not variable or "=" in variable or "\0" in variable:
            oddities.append(f"env has {variable!r}, which cannot be set; it is left out")
        elif isinstance(setting, str) and "\0" not in setting:
            env[variable] = setting
        elif type(setting) in (int, float):
            env[variable] = str(setting)
            oddities.append(f"env has a number for {variable}; it is used as a string")
        else:
            told = "a null character in" if isinstance(setting, str) else f"{_kind(setting)} for"
            oddities.append(f"env has {told} {variable}; it is left out")
    return env


def _interrupt_mode(value: object, oddities: list[str]) -> InterruptMode:
    if value == "signal":
        return "signal"
    if value == "message":
        return "message"
    told = repr(value) if isinstance(value, str) else _kind(value)
    mode: InterruptMode = "signal"
    if isinstance(value, str) and value.lower() == "message":
        mode = "message"
    oddities.append(f"interrupt_mode is {told}, neither 'signal' nor 'message'; {mode!r} is used")
    return mode


def _metadata(value: object, oddities: list[str]) -> JSONDict:
    if not _is_object(value):
        oddities.append(f"metadata is {_kind(value)} and not an object; it is left out")
        return {}
    for key in _SCHEMA_KEYS:
        if key in value and not isinstance(value[key], dict):
            told = _kind(value[key])
            oddities.append(f"metadata.{key} is {told} and not a JSON schema; it takes no effect")
    return value


def _version(spec: JSONDict, oddities: list[str]) -> str | None:
    if "kernel_protocol_version" not in spec:
        return None
    value = spec["kernel_protocol_version"]
    if isinstance(value, str):
        return value
    oddities.append(f"kernel_protocol_version is {_kind(value)} and not a string; it is left out")
    return None
