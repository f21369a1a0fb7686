"""What the system offers, and what it forbids."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from tempfile import TemporaryDirectory, gettempdir

import zmq

from kernel_mgmt.cli._doctor._findings import Finding, note, ok, problem
from kernel_mgmt.paths import jupyter_runtime_dir

# What a program needs that runs some ten kernels, and what one with few would get by with.
_FILES_GOOD, _FILES_LEAST = 1024, 256


def check_guardian(executable: str | None = None) -> Finding:
    """Tell whether the small process can be started that ends kernels when their program is killed.

    :param executable: the interpreter that it is run by; this one when ``None``
    """
    executable = sys.executable if executable is None else executable
    without = "kernels outlive a program that is killed; kernel-mgmt prune removes their files"
    if not hasattr(os, "posix_spawn") or hasattr(sys, "frozen"):
        return note("cannot be started on this system", without)
    try:
        pid = os.posix_spawn(executable, [executable, "-I", "-S", "-c", ""], {}, setsid=True)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except (OSError, NotImplementedError) as error:
        return problem(f"{executable!r} cannot be started: {error}", without)
    return ok("can be started") if code == 0 else problem(f"{executable!r} fails", without)


def check_file_limit(limit: int | None = None) -> Finding:
    """Tell whether enough files can be open at once.

    :param limit: that of this process when ``None``
    """
    limit = _file_limit() if limit is None else limit
    if limit < 0 or limit >= _FILES_GOOD:
        return ok(f"{'any number of' if limit < 0 else limit} open files")
    seen = f"{limit} open files, sockets among them"
    return (problem if limit < _FILES_LEAST else note)(seen, f"ulimit -n {_FILES_GOOD}")


def check_pidfd() -> Finding:
    """Tell whether the end of a kernel can be waited for without a thread."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as error:
        return note(f"cannot be had: {error}", "kernel_mgmt waits in a thread for each kernel")
    return ok("the end of a kernel is seen at once, without a thread")


def check_ipc(directory: str | None = None) -> Finding:
    """Tell whether kernels can be reached through sockets in the file system.

    Where the path of the runtime directory is too long, they are made among the temporary files.

    :param directory: Jupyter's runtime directory when ``None``
    """
    if not zmq.has("ipc"):
        return note("this libzmq has no ipc", "kernel_mgmt uses tcp")
    directory = directory or jupyter_runtime_dir()
    failure = _failure_to_bind(directory) if os.path.isdir(directory) else None
    if failure is None:
        return ok("sockets can be made in the runtime directory")
    seen, elsewhere = f"no socket can be made in {directory}: {failure}", gettempdir()
    if _failure_to_bind(elsewhere) is None:
        return note(seen, f"kernel_mgmt makes them in {elsewhere} if the path is too long")
    return problem(
        seen, "set JUPYTER_RUNTIME_DIR to a directory with a short path, on a local disk"
    )


def check_curve() -> Finding:
    """Tell whether messages over tcp can be encrypted."""
    if zmq.has("curve"):
        return ok(f"libzmq {zmq.zmq_version()} can encrypt")
    return note(f"libzmq {zmq.zmq_version()} has no CURVE", "install pyzmq from its wheel")


def _failure_to_bind(directory: str) -> OSError | None:
    try:
        with TemporaryDirectory(dir=directory) as place, socket.socket(socket.AF_UNIX) as server:
            # As long as the names that kernels are given.
            server.bind(os.path.join(place, "k-5"))
    except OSError as error:
        return error
    return None


def _file_limit() -> int:
    with suppress(ImportError):
        import resource

        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return -1
