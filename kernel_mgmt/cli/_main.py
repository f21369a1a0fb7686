"""The group of all commands, and what is said of their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from kernel_mgmt import __version__
from kernel_mgmt.exceptions import KernelManagementError

from ._status import CommandError, Status, status_of
from ._terminal import say

__all__ = ("run",)

# In the order of the help: what there is, running code, kernels that stay, and the rest.
_COMMANDS = ("list", "export", "jupyter")


class _Commands(click.Group):
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
        name = args[0]
        if name not in _COMMANDS and not name.startswith("-"):
            raise CommandError(_unknown_command(name), Status.USAGE)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kernel-mgmt")
def _commands() -> None:
    """Find, start, use and watch Jupyter kernels."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and turn what it raises into a message and an exit status."""
    try:
        status = _commands.main(arguments, prog_name="kernel-mgmt", standalone_mode=False)
        print(end="", flush=True)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Status.INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough. What is left must not be written at the exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Status.OK
    except (CommandError, KernelManagementError, OSError) as error:
        return _tell(error)
    return status if isinstance(status, int) else Status.OK


def _tell(error: Exception) -> Status:
    say(f"Error: {error}")
    return status_of(error)


def _unknown_command(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, _COMMANDS, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"There is no command {name!r}{hint} (kernel-mgmt --help lists them)"
