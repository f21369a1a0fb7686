"""The launcher for kernels that are reached over TCP."""

from __future__ import annotations

from ._connection_file import PORT_NAMES, ports_of
from ._launcher import SubprocessLauncher
from ._ports import CAN_HOLD_PORTS, hold_ports, release_ports


class SubprocessKernelLauncher(SubprocessLauncher):
    """Starts a kernel that is reached over TCP, by default on 127.0.0.1 only.

    The ports are kept from everybody else until the kernel is ready. Where they are not, somebody
    else may be faster: :attr:`KernelManager.port_conflict` tells.

    :ivar holds_ports: whether the ports are kept: on Linux yes, on macOS and Windows no. To be set
        to false for a kernel that binds without ``SO_REUSEADDR``, which would be kept out as well
    """

    transport = "tcp"
    holds_ports = CAN_HOLD_PORTS

    def make_ports(self) -> dict[str, int]:
        """Return five free TCP ports by their names in the connection info.

        Those of the connection info that is to be used again are taken again.
        """
        address = self._address()
        given = self.options.connection_info
        wanted = [0] * len(PORT_NAMES) if given is None else ports_of(given)
        with self._errors_in(f"No ports can be had on {address}"):
            held = hold_ports(address, wanted)
        ports = [holder.getsockname()[1] for holder in held]
        if self.holds_ports:
            self._held_ports = held
            self._undo.callback(release_ports, held)
        else:
            release_ports(held)
        return dict(zip(PORT_NAMES, ports, strict=True))

    def _address(self) -> str:
        given = self.options.connection_info
        return (self.ip if given is None else given.get("ip")) or "127.0.0.1"
