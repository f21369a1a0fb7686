"""Launch kernels as processes of this machine, and hold them.

Example::

    launcher = SubprocessKernelLauncher(["python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"])
    connection_info, manager = await launcher.launch()
"""

from __future__ import annotations

from ._handshake import SubprocessHandshakeKernelLauncher
from ._ipc import SubprocessIPCKernelLauncher
from ._launcher import SubprocessLauncher
from ._manager import KernelManager
from ._policy import make_launcher, plan_launch
from ._reattach import reattach
from ._settings import LaunchSettings
from ._tcp import SubprocessKernelLauncher

__all__ = (
    "KernelManager",
    "LaunchSettings",
    "SubprocessHandshakeKernelLauncher",
    "SubprocessIPCKernelLauncher",
    "SubprocessKernelLauncher",
    "SubprocessLauncher",
    "make_launcher",
    "plan_launch",
    "reattach",
)
