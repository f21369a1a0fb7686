"""How output is shown where nobody says how: printed, or displayed in a notebook."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from kernel_mgmt.client._interactive import print_output

if TYPE_CHECKING:
    from kernel_mgmt.messages import Message

__all__ = ("show_output",)


def show_output(message: Message) -> None:
    """Print what a message shows; what is displayed is displayed, if this is an IPython kernel."""
    display = _display_of_this_kernel()
    if display is None or message.msg_type not in ("display_data", "execute_result"):
        print_output(message)
    else:
        content = message.content
        display.publish(data=content.get("data", {}), metadata=content.get("metadata", {}))


def _display_of_this_kernel() -> Any:
    # Where IPython was not imported, this is no kernel of it.
    ipython: Any = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    return None if getattr(shell, "kernel", None) is None else shell.display_pub
