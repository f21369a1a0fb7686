"""The command ``kernel-mgmt``; it needs the extra ``kernel-mgmt[cli]``.

Each command is a module of its name here, with a global ``command``, and is loaded when it is
called. What they share is in the modules with an underscore.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ("main",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    :param arguments: those after the name of the program; the ones of this process when ``None``
    :return: the exit status, of which ``kernel_mgmt.cli._status`` tells the meaning
    """
    try:
        import click  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ModuleNotFoundError:
        print("kernel-mgmt needs its extra: pip install 'kernel-mgmt[cli]'", file=sys.stderr)
        return 2
    from ._main import run

    return run(arguments)
