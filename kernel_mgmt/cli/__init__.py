"""The command ``kernel-mgmt``; it needs the extra ``kernel-mgmt[cli]``.

Each command is a module of its name here, with a global ``command``, and is loaded when it is
called. What they share is in the modules with an underscore.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ("main",)

_MODULES_OF_THE_EXTRA = ("click", "nbformat", "prompt_toolkit", "psutil", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    :param arguments: those after the name of the program; the ones of this process when ``None``
    :return: the exit status, of which ``kernel_mgmt.cli._status`` tells the meaning
    """
    try:
        from ._main import run

        return run(arguments)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _MODULES_OF_THE_EXTRA:
            raise
        if sys.stderr is not None:
            message = f"kernel-mgmt needs {missing}: pip install 'kernel-mgmt[cli]'"
            print(message, file=sys.stderr)
        return 2
