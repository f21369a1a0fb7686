"""The command ``kernel-mgmt``; it needs the extra ``kernel-mgmt[cli]``.

Each command is a module of its name here, with a global ``command``, and is loaded when it is
called. What they share is in the modules with an underscore.
"""

from __future__ import annotations

import sys

# What is loaded before the command begins can be interrupted with a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("main",)

_MODULES_OF_THE_EXTRA = ("click", "nbformat", "prompt_toolkit", "psutil", "rich")
# The status of the same name, whose module is among those that take their time to load.
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    :param arguments: those after the name of the program; the ones of this process when ``None``
    :return: the exit status, of which ``kernel_mgmt.cli._status`` tells the meaning
    """
    try:
        from ._main import run

        return run(arguments)
    except KeyboardInterrupt:  # while modules load
        return _INTERRUPTED
    except RuntimeError as error:
        # What Python 3.11 makes of it while a class is made.
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _MODULES_OF_THE_EXTRA:
            raise
        if sys.stderr is not None:
            message = f"kernel-mgmt needs {missing}: pip install 'kernel-mgmt[cli]'"
            print(message, file=sys.stderr)
        return 2
