"""Groups of commands that say which one may be meant."""

from __future__ import annotations

import click

from ._status import CommandError, Status

__all__ = ("CommandGroup",)


class CommandGroup(click.Group):
    """A group whose error for an unknown command names the one that may be meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            raise CommandError(_unknown_command(name, known, ctx.command_path), Status.USAGE)
        return super().resolve_command(ctx, args)


def _unknown_command(name: str, known: list[str], path: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"There is no command {name!r}{hint} ({path} --help lists them)"
