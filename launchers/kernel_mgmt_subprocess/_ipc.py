"""The launcher for kernels that are reached through sockets in the file system."""

from __future__ import annotations

import os
import sys
from itertools import count
from secrets import randbelow, token_urlsafe

from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.types import ConnectionInfo

from ._connection_file import PORT_NAMES, ports_of
from ._files import remove_files
from ._launcher import SubprocessLauncher

_PREFIX = "ipc-"
# The size of sun_path without its final zero: 108 bytes on Linux, 104 on macOS and the BSDs.
MAXIMUM_SOCKET_PATH = 107 if sys.platform == "linux" else 103
_MAXIMUM_PORT = 65_535


class SubprocessIPCKernelLauncher(SubprocessLauncher):
    """Starts a kernel that is reached through sockets in a private directory of its own.

    The directory (0700) is in the runtime directory, or in the system's directory for temporary
    files where the path of a socket would be too long. A kernel that closes its sockets removes
    them, one that is killed does not; the manager's cleanup removes the directory with all that is
    in it.

    :ivar socket_path_limit: how long the path of a socket may be, in bytes: what the system
        allows. To be set lower for a kernel that takes less, such as 25 for the xeus family
    """

    transport = "ipc"
    _socket_dir: str | None
    socket_path_limit = MAXIMUM_SOCKET_PATH

    def make_ports(self) -> dict[str, int]:
        """Make the directory of the sockets, and return the numbers that end their names.

        They are others than those of the launch before. What is to be used again is made again;
        no directory is made for sockets that somebody else has a place for.
        """
        given = self.options.connection_info
        if given is not None and not _is_ours(given.get("ip", "")):
            self._socket_dir = None
            self._check_free(given)
            return dict(zip(PORT_NAMES, ports_of(given), strict=True))
        self._socket_dir = self._make_socket_dir()
        self._undo.callback(remove_files, [self._socket_dir])
        return dict(zip(PORT_NAMES, _next_ports(), strict=True))

    def files_to_cleanup(self, connection_file: str, connection_info: ConnectionInfo) -> list[str]:
        """Return the connection file and the directory of the sockets, or else the sockets."""
        files = super().files_to_cleanup(connection_file, connection_info)
        if self._socket_dir is None:
            # What else is in a directory that we have not made is not ours.
            return [*files, *_socket_paths(connection_info)]
        return [*files, self._socket_dir]

    def _address(self) -> str:
        assert self._socket_dir is not None
        return _socket_prefix(self._socket_dir)

    def _check(self) -> None:
        super()._check()
        if self.ip is not None:
            raise LaunchOptionError("ip", f"{type(self).__name__} makes up the path of its sockets")
        given = self.options.connection_info
        if given is None:
            return
        longest = max(_socket_paths(given), key=len)
        if len(os.fsencode(longest)) > self.socket_path_limit:
            reason = f"the path {longest!r} is too long for a socket of this kernel"
            raise LaunchOptionError("connection_info", reason)

    def _check_free(self, connection_info: ConnectionInfo) -> None:
        for path in _socket_paths(connection_info):
            if os.path.lexists(path):
                raise KernelLaunchError(f"There is something at {path!r}", argv=self.kernel_cmd)

    def _make_socket_dir(self) -> str:
        given = self.options.connection_info
        if given is not None:
            directory = os.path.dirname(given.get("ip", ""))
            with self._file_errors_in("The directory of the sockets cannot be made again"):
                os.mkdir(directory, 0o700)
            return directory
        name = f"{_PREFIX}{token_urlsafe(6)}"
        for parent in (self.runtime_dir, *_temporary_directories()):
            directory = os.path.join(parent, name)
            if _longest_socket_path(directory) <= self.socket_path_limit:
                with self._file_errors_in("The directory of the sockets cannot be made"):
                    self._guard.remove_files_at_end([directory])
                    os.mkdir(directory, 0o700)
                return directory
        reason = f"No directory, {self.runtime_dir!r} neither, has a path short enough for sockets"
        raise KernelLaunchError(reason, argv=self.kernel_cmd)


_launches = count(randbelow(_MAXIMUM_PORT))


def _next_ports() -> range:
    # Programs tell by the ports whether a kernel is where it was, also if its path is another.
    number = len(PORT_NAMES)
    first = 1 + number * (next(_launches) % (_MAXIMUM_PORT // number))
    return range(first, first + number)


def _is_ours(prefix: str) -> bool:
    directory = os.path.dirname(prefix)
    name = os.path.basename(directory)
    return prefix == _socket_prefix(directory) and name.startswith(_PREFIX)


def _socket_paths(connection_info: ConnectionInfo) -> list[str]:
    return [f"{connection_info.get('ip', '')}-{port}" for port in ports_of(connection_info)]


def _socket_prefix(directory: str) -> str:
    return os.path.join(directory, "k")


def _longest_socket_path(directory: str) -> int:
    return len(os.fsencode(f"{_socket_prefix(directory)}-{_MAXIMUM_PORT}"))


def _temporary_directories() -> tuple[str, ...]:
    from tempfile import gettempdir

    # On macOS the first is itself a long path.
    return (gettempdir(), "/tmp")
