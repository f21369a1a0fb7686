"""``kernel-mgmt completion``: what has a shell complete the command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ._complete import VARIABLE
from ._status import Status

__all__ = ("command",)


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script that has a shell complete this command.

    It completes commands, options, the names of kernels and the ids of those that run. Put into the
    file that your shell reads at its start:

    \b
    bash, ~/.bashrc:
        eval "$(kernel-mgmt completion bash)"
    zsh, ~/.zshrc, after compinit:
        eval "$(kernel-mgmt completion zsh)"
    fish, ~/.config/fish/completions/kernel-mgmt.fish:
        kernel-mgmt completion fish | source
    """
    completion_class = get_completion_class(shell)
    assert completion_class is not None
    program = ctx.find_root()
    print(completion_class(program.command, {}, "kernel-mgmt", VARIABLE).source())
    return Status.OK
