"""A relay for programs whose own event loop runs only now and then."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from kernel_mgmt import _portal

from .relay import Relay

if TYPE_CHECKING:
    from kernel_mgmt.abc import KernelManagerABC
    from kernel_mgmt.types import ConnectionInfo

__all__ = ("RelayThread",)


class RelayThread:
    """A relay in the event-loop thread of the process, which ends with the process.

    Its methods block, and are not to be called in that thread.

    :param at: where to listen, as :class:`~kernel_mgmt.jupyter.relay.Relay` has it
    :raises OSError: if it cannot listen there
    """

    def __init__(self, at: ConnectionInfo | None = None) -> None:
        self._open, self._serving = ExitStack(), ExitStack()
        self._relay = self._open.enter_context(_portal.open_context(Relay(at)))

    @property
    def connection_info(self) -> ConnectionInfo:
        """How programs reach the relay."""
        return self._relay.connection_info

    def serve(self, connection_info: ConnectionInfo, manager: KernelManagerABC) -> None:
        """Serve programs with a kernel, in the place of the one before.

        :raises ValueError: if the connection info lacks something, or names an unknown transport
        """
        self._serving.close()
        serving = self._relay.serving(connection_info, manager, allow_unsigned=True)
        self._serving.enter_context(_portal.open_context(serving))

    def close(self) -> None:
        """Close it, once what was sent has left or a second has passed."""
        with suppress(RuntimeError):  # the interpreter exits, and the thread has ended
            self._serving.close()
            self._open.close()
