"""The arguments of a launch on the command line, and a kernel that is started with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._notes import progress_with_notes
from ._parameters import ask_for_missing, read_parameters, type_of_text
from ._seconds import Seconds
from ._terminal import progress

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.client import KernelClient
    from kernel_mgmt.types import LaunchOptions

__all__ = ("LaunchArguments", "launch_arguments", "started", "startup_timeout_option")


@dataclass(frozen=True)
class LaunchArguments:
    """What the command line says of a launch.

    :ivar params: launch parameters as they were typed
    :ivar params_file: a file of more of them; those that were typed go before it
    :ivar env: environment variables for the kernel
    :ivar cwd: the working directory of the kernel; that of the command when ``None``
    :ivar startup_timeout: in seconds
    """

    params: Mapping[str, str] = field(default_factory=dict[str, str])
    params_file: Path | None = None
    # A variable may be a secret.
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: Path | None = None
    startup_timeout: float = 60.0


class _Assignment(click.ParamType[tuple[str, str]]):
    name = "name=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        name, sign, text = str(value).partition("=")
        if not name or not sign:
            self.fail(f"{value!r} is not of the form name=value", param, ctx)
        return name, text


startup_timeout_option = click.option(
    "--startup-timeout",
    type=Seconds(),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the kernel may take to be ready.",
)
_OPTIONS = (
    click.option(
        "--param",
        "params",
        type=_Assignment(),
        multiple=True,
        help="A launch parameter of the kernel; repeatable.",
    ),
    click.option(
        "--params-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file of launch parameters, JSON or TOML.",
    ),
    click.option(
        "--env",
        type=_Assignment(),
        multiple=True,
        help="An environment variable for the kernel; repeatable.",
    ),
    click.option(
        "--cwd",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The working directory of the kernel; this one by default.",
    ),
    startup_timeout_option,
)


def launch_arguments(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command the options of a launch, which it gets as the keyword ``arguments``."""

    @wraps(function)
    def with_arguments(
        *args: Any,
        params: tuple[tuple[str, str], ...],
        params_file: Path | None,
        env: tuple[tuple[str, str], ...],
        cwd: Path | None,
        startup_timeout: float,
        **keywords: Any,
    ) -> int:
        arguments = LaunchArguments(dict(params), params_file, dict(env), cwd, startup_timeout)
        return function(*args, arguments=arguments, **keywords)

    for option in reversed(_OPTIONS):
        with_arguments = option(with_arguments)
    return with_arguments


@asynccontextmanager
async def started(
    kernel: str, arguments: LaunchArguments, *, options: LaunchOptions | None = None
) -> AsyncGenerator[tuple[KernelManagerABC, KernelClient]]:
    """Start a kernel, and end it when the block is left, unless it is to persist.

    Parameters that are required and missing are asked for at a terminal.

    :param kernel: the name of its type
    :param options: more than the command line says
    :raises CommandError: if the file of parameters is of no use

    The other errors are those of :func:`~kernel_mgmt.start.start_kernel_async`.
    """
    import anyio

    from kernel_mgmt.start import default_finder, start_kernel_async
    from kernel_mgmt.types import LaunchOptions

    options = LaunchOptions() if options is None else options
    options = replace(options, env={**arguments.env, **options.env})
    finder = default_finder()
    schema = (await finder.get_async(kernel)).get("launch_parameters")
    params = _launch_params(arguments, schema)
    with progress_with_notes(f"Starting {kernel}"):
        manager, client = await start_kernel_async(
            kernel,
            arguments.cwd,
            params,
            finder=finder,
            options=options,
            startup_timeout=arguments.startup_timeout,
        )
    try:
        yield manager, client
    finally:
        try:
            if not options.persist:
                with anyio.CancelScope(shield=True), progress(f"Ending {kernel}"):
                    await client.shutdown_or_terminate()
        finally:
            client.close()


def _launch_params(
    arguments: LaunchArguments, schema: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    file = arguments.params_file
    given = {} if file is None else read_parameters(file)
    for name, text in arguments.params.items():
        given[name] = type_of_text(schema, name, text)
    return ask_for_missing(schema, given) or None
