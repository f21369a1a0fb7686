"""A running process that is no child of this program."""

from __future__ import annotations

import os

from kernel_mgmt.records import ProcessIdentity


class ForeignProcess:
    """Stands where a :class:`subprocess.Popen` would, for the process of another program.

    Only its parent learns the exit code and reaps it.
    """

    returncode = None

    def __init__(self, identity: ProcessIdentity) -> None:
        self.identity = identity
        self.pid = identity.pid

    def send_signal(self, signum: int) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, signum)

    def wait(self) -> None:
        """Return at once, with no exit code, once the process has ended."""
