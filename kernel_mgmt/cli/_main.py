"""The group of all commands, and what is said of their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, TextIO

import click

from kernel_mgmt import __version__
from kernel_mgmt.exceptions import KernelManagementError

from ._group import CommandGroup
from ._status import CommandError, Status, status_of
from ._terminal import say

__all__ = ("run",)

# In the order of the help: what there is, running code, kernels that stay, and the rest.
_COMMANDS = (
    "list",
    "info",
    "provider",
    "kernelspec",
    "run",
    "exec",
    "console",
    "start",
    "ps",
    "logs",
    "interrupt",
    "restart",
    "stop",
    "kill",
    "wait",
    "prune",
    "doctor",
    "bench",
    "export",
    "relay",
    "jupyter",
    "completion",
)
_ALIASES = {"ls": "list"}


class _Commands(CommandGroup):
    """Loads the module of a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f".{cmd_name}", __package__)
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, [_ALIASES.get(args[0], args[0]), *args[1:]])

    # click would make a failure of it that nobody reads the help, or what a command prints.
    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError:
            raise click.exceptions.Exit(_stop_writing()) from None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return _stop_writing()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kernel-mgmt")
@click.option("--no-input", is_flag=True, help="Ask nothing, at a terminal neither.")
@click.option("-v", "--verbose", is_flag=True, help="Tell on stderr what kernel_mgmt notes.")
@click.pass_context
def _commands(context: click.Context, no_input: bool, verbose: bool) -> None:
    """Find, start, use and watch Jupyter kernels."""
    if verbose:
        from ._notes import told_notes

        context.with_resource(told_notes())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and turn what it raises into a message and an exit status."""
    _prepare_streams()
    try:
        status = _commands.main(arguments, prog_name="kernel-mgmt", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Status.INTERRUPTED
    except BrokenPipeError:
        return _stop_writing()
    except (CommandError, KernelManagementError, OSError) as error:
        return _tell(error)
    return status if isinstance(status, int) else Status.OK


def _prepare_streams() -> None:
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            # What is opened next would take its place, and be written to or handed to a kernel.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "w" if descriptor else "r"
            stream = os.fdopen(descriptor, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        # What the encoding of a terminal has no characters for is shown all the same.
        reconfigure(errors="backslashreplace")


def _stop_writing() -> Status:
    """Drop what has not been written yet, since who reads has seen enough."""
    _discard(sys.stdout)
    _discard(sys.stderr)
    return Status.OK


def _tell(error: Exception) -> int:
    say(f"Error: {error}")
    try:
        sys.stdout.flush()
    except OSError:
        # It cannot be written at the exit either, and Python would complain once more.
        _discard(sys.stdout)
    return status_of(error)


def _discard(stream: TextIO | None) -> None:
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
