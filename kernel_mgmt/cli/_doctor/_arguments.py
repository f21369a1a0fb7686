"""What the command line says of a kernel type, for those who start more than one kernel of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel_mgmt.cli._parameters import ask_for_missing, read_parameters, type_of_text
from kernel_mgmt.types import LaunchOptions

from ._subject import Subject

if TYPE_CHECKING:
    from kernel_mgmt.cli._launching import LaunchArguments
    from kernel_mgmt.discovery import KernelFinder

__all__ = ("make_subject",)


def make_subject(finder: KernelFinder, name: str, arguments: LaunchArguments) -> Subject:
    """Look a kernel type up, and give its parameters their types.

    The errors are those of :meth:`KernelFinder.get`.
    """
    attributes = finder.get(name)
    schema = attributes.get("launch_parameters")
    file = arguments.params_file
    given = {} if file is None else read_parameters(file)
    given |= {key: type_of_text(schema, key, text) for key, text in arguments.params.items()}
    return Subject(
        name if "/" in name else f"spec/{name}",
        finder,
        attributes,
        arguments.cwd,
        ask_for_missing(schema, given) or None,
        LaunchOptions(env=arguments.env),
        arguments.startup_timeout,
    )
