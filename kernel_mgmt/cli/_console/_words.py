"""What is typed to the console itself rather than to the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from kernel_mgmt.client._lenient import object_of, text_of

if TYPE_CHECKING:
    from kernel_mgmt.client import KernelClient

__all__ = ("HELP", "Command", "command_of", "language_of", "prefix_of")

Command: TypeAlias = Literal["help", "interrupt", "quit", "restart"]

# Where a word behind a colon is code: a symbol, a keyword, or a command of the language's own console.
_COLON_IS_CODE = frozenset(
    {"clojure", "common lisp", "elixir", "emacs-lisp", "haskell", "julia", "lisp", "racket", "ruby"}
    | {"scala", "scheme"}
)
_LEAVES = frozenset({"exit", "exit()", "quit", "quit()", "q()"})

HELP = """\
{prefix}help        this
{prefix}interrupt   interrupt what the kernel does, also for others
{prefix}restart     end the kernel and start another; only one that the console has started
{prefix}quit        leave; so do exit, quit and Ctrl-D

Enter        run the cell if it is complete, or begin another line
Alt-Enter    run the cell as it stands (also Esc, Enter)
Ctrl-O       begin another line
Tab          complete
Shift-Tab    show what is known of the thing at the cursor
Up, Ctrl-R   earlier cells; search in them
Ctrl-C       clear the cell; interrupt the kernel while it runs\
"""


def language_of(client: KernelClient) -> str:
    """The name of the language of a kernel that is ready; empty if it tells none."""
    info = object_of((client.kernel_info_dict or {}).get("language_info"))
    return text_of(info.get("name"))


def prefix_of(language: str) -> str:
    """What the commands of the console begin with: what begins no code of the language."""
    return "::" if language.lower() in _COLON_IS_CODE else ":"


def command_of(cell: str, language: str) -> Command | None:
    """Return the command that a cell is; ``None`` if it is for the kernel.

    Only a cell that is nothing else is a command.
    """
    text = cell.strip()
    if text in _LEAVES:
        return "quit"
    prefix = prefix_of(language)
    word = text.removeprefix(prefix)
    is_command = text.startswith(prefix) and word in get_args(Command)
    return cast("Command", word) if is_command else None
