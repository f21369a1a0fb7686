"""What the launchers of child processes have in common."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from os import PathLike, fspath
from subprocess import DEVNULL, Popen
from typing import Any, ClassVar, NamedTuple
from uuid import uuid4

from kernel_mgmt.abc import KernelLauncherABC
from kernel_mgmt.exceptions import KernelLaunchError, LaunchOptionError
from kernel_mgmt.parameters import as_json, fill_argv, fill_env
from kernel_mgmt.paths import make_runtime_dir
from kernel_mgmt.records import (
    KernelRecord,
    LaunchDetails,
    ProcessIdentity,
    record_path,
    unfinished_path,
    write_record,
)
from kernel_mgmt.types import ConnectionInfo, LaunchOptions, LaunchParams, ResourceLimits

from ._carriers import KERNEL_ID_VARIABLE, kill_carriers
from ._connection_file import check_connection_info, new_connection_info, write_connection_file
from ._files import open_new_file, remove_files, way_out
from ._guardian import this_guardian
from ._limits import check_limits, set_limits
from ._manager import KernelManager
from ._spawn import end_process, spawn

logger = logging.getLogger(__name__)

_PYTHON_NAMES = ("python", "python3", f"python3.{sys.version_info.minor}")
_SECONDS_TO_LOAD = 0.001
_KERNEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class _Process(NamedTuple):
    """What has been started, and with what."""

    popen: Popen[bytes]
    popen_kwargs: dict[str, Any]
    connection_file: str
    connection_info: ConnectionInfo
    files: list[str]
    log_file: str


class SubprocessLauncher(KernelLauncherABC):
    """Starts one kernel as a child process, in a session of its own.

    :param kernel_cmd: the kernel's argv, with ``{placeholders}``; a bare ``python`` is the running
        interpreter
    :param cwd: the working directory of the kernel, by default that of the caller
    :param extra_env: environment variables for the kernel, with ``{placeholders}`` and
        ``${VARIABLES}`` of the caller's environment
    :param ip: the address that the kernel listens on
    :param launch_params: values for the placeholders
    :param options: what is asked of the framework
    :param interrupt_mode: ``"signal"``, ``"message"`` or ``"unsupported"``, for the manager
    :param encrypt: whether the kernel is given keys for CURVE, so that its messages are encrypted;
        it is, too, if the options require it
    :param resource_dir: the directory of the kernelspec, as the placeholder ``{resource_dir}``
    :param kernel_name: the name of the kernel type, for the connection file
    :param runtime_dir: where the files of the kernel are kept; Jupyter's runtime directory if
        ``None``

    :cvar transport: the transport that the kernel speaks
    :ivar kernel_id: the id that the kernel will bear
    :ivar kernel_type: the full name of the kernel type, for the record; for a provider to set
    """

    transport: ClassVar[str]

    def __init__(
        self,
        kernel_cmd: Sequence[str],
        cwd: str | PathLike[str] | None = None,
        extra_env: Mapping[str, str] | None = None,
        ip: str | None = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
        interrupt_mode: str = "signal",
        encrypt: bool = False,
        resource_dir: str | PathLike[str] | None = None,
        kernel_name: str | None = None,
        runtime_dir: str | PathLike[str] | None = None,
    ) -> None:
        self.options = LaunchOptions() if options is None else options
        self.kernel_cmd = list(kernel_cmd)
        self.cwd = None if cwd is None else fspath(cwd)
        self.extra_env = dict(extra_env or {})
        self.ip = ip
        self.launch_params = dict(launch_params or {})
        self.interrupt_mode = interrupt_mode
        self.encrypt = encrypt or self.options.encryption == "required"
        self.limits = self.options.limits or ResourceLimits()
        self.resource_dir = None if resource_dir is None else fspath(resource_dir)
        self.kernel_name = kernel_name
        self.kernel_id = self.options.kernel_id or str(uuid4())
        self.kernel_type: str | None = None
        self._given_runtime_dir = runtime_dir
        self._held_ports: list[socket.socket] = []
        self._win_interrupt_evt: int | None = None
        self._undo = ExitStack()
        self._is_launching = False

    async def launch(self) -> tuple[ConnectionInfo, KernelManager]:
        """Start the kernel.

        It takes three steps, between which the event loop turns to other work for a moment.

        :raises LaunchOptionError: if an option cannot be had from this launcher
        :raises KernelLaunchError: if the kernel cannot be started, or another launch is under way
        """
        self._check()
        with self._launching():
            return await self._launch()

    def make_connection_file(self) -> tuple[str, ConnectionInfo]:
        """Find ports, make a key, and write both to a new file in the runtime directory.

        Ports and keys are those of the connection info that is to be used again, if there is one.

        :return: the path of the file, and its content
        """
        ports = self.make_ports()
        if self.options.connection_info is not None:
            connection_info = self.options.connection_info.copy()
        else:
            connection_info = new_connection_info(
                self.transport,
                self._address(),
                ports,
                self.kernel_name or "",
                encrypt=self.encrypt,
            )
        path = self._connection_file()
        self._guard.remove_files_at_end([path])
        with self._file_errors_in("The connection file cannot be written", path):
            write_connection_file(path, connection_info)
        self._undo.callback(remove_files, [path])
        return path, connection_info

    @abstractmethod
    def make_ports(self) -> dict[str, int]:
        """Return the five ports by their names in the connection info."""

    def format_kernel_cmd(self, connection_file: str) -> list[str]:
        """Return the argv of the kernel, with the placeholders filled in."""
        argv = fill_argv(self.kernel_cmd, self._placeholders(connection_file))
        if argv and argv[0] in _PYTHON_NAMES and sys.executable:
            argv[0] = sys.executable
        return argv + list(self.options.extra_arguments)

    def build_popen_kwargs(self, connection_file: str) -> dict[str, Any]:
        """Return the arguments for :class:`subprocess.Popen`, ``args`` among them.

        Where they have no ``stdout`` or ``stderr``, the kernel writes it to its log file.
        """
        env = dict(os.environ)
        env.pop("PYTHONEXECUTABLE", None)
        env |= fill_env(self.extra_env, self._placeholders(connection_file), os.environ)
        env |= self.options.env
        env[KERNEL_ID_VARIABLE] = self.kernel_id
        env["JPY_PARENT_PID"] = str(os.getpid())
        popen_kwargs: dict[str, Any] = {
            "args": self.format_kernel_cmd(connection_file),
            "cwd": self.cwd,
            "env": env,
            "start_new_session": True,
            "stdin": DEVNULL,
        }
        if sys.platform == "win32":
            from ._windows import make_interruptible

            self._win_interrupt_evt = make_interruptible(popen_kwargs)
        if self.options.persist:
            # Some kernels end with this process.
            del env["JPY_PARENT_PID"]
        return popen_kwargs

    def files_to_cleanup(self, connection_file: str, connection_info: ConnectionInfo) -> list[str]:
        """Return the files, and directories of files, to remove when the kernel has ended."""
        return [connection_file]

    async def _launch(self) -> tuple[ConnectionInfo, KernelManager]:
        from anyio import sleep
        from anyio.lowlevel import checkpoint

        with self._undo:
            self.runtime_dir = self._make_runtime_dir()
            self._guard = this_guardian().guard(self.kernel_id)
            self._undo.callback(self._guard.release)
            await checkpoint()
            process = self._start_process()
            # Whoever asks about a process that the system is loading is kept waiting.
            await sleep(_SECONDS_TO_LOAD)
            result = self._hold(process)
            self._undo.pop_all()
        return result

    def _connection_file(self) -> str:
        return os.path.join(self.runtime_dir, f"kernel-{self.kernel_id}.json")

    def _start_process(self) -> _Process:
        connection_file, connection_info = self.make_connection_file()
        files = self.files_to_cleanup(connection_file, connection_info)
        self._undo.callback(remove_files, files)
        self._guard.remove_files_at_end(files)
        popen_kwargs = self.build_popen_kwargs(connection_file)
        # Hidden, or Jupyter's programs take it for the connection file if told a part of the id.
        log_file = os.path.join(self.runtime_dir, f".kernel-{self.kernel_id}.log")
        popen = self._spawn(popen_kwargs, log_file)
        # It may have started others, in sessions of their own.
        self._undo.callback(kill_carriers, self.kernel_id)
        self._undo.callback(end_process, popen)
        logger.debug("Kernel %s is process %d", self.kernel_id, popen.pid)
        with self._errors_in("The limits of the kernel cannot be set"):
            set_limits(popen.pid, self.limits)
        return _Process(popen, popen_kwargs, connection_file, connection_info, files, log_file)

    def _hold(self, process: _Process) -> tuple[ConnectionInfo, KernelManager]:
        record = self._write_record(process)
        manager = KernelManager(
            process.popen,
            record.files,
            self._win_interrupt_evt,
            connection_info=process.connection_info,
            kernel_id=self.kernel_id,
            interrupt_mode=self.interrupt_mode,
            log_file=process.log_file,
            argv=process.popen_kwargs["args"],
            held_ports=self._held_ports,
            limits=self.limits,
            guard=self._guard,
            record=record,
        )
        return process.connection_info, manager

    def _write_record(self, process: _Process) -> KernelRecord:
        identity = ProcessIdentity.of(process.popen.pid)
        self._guard.end_process(identity.pid, identity.start_time)
        path = record_path(self.kernel_id, self.runtime_dir)
        self._guard.remove_files_at_end([path, unfinished_path(path)])
        record = KernelRecord(
            kernel_id=self.kernel_id,
            process=identity,
            connection_file=process.connection_file,
            kernel_type=self.kernel_type,
            name=self.options.name,
            launcher=f"{type(self).__module__}.{type(self).__qualname__}",
            argv=tuple(process.popen_kwargs["args"]),
            cwd=_absolute(process.popen_kwargs.get("cwd")),
            interrupt_mode=self.interrupt_mode,
            log_file=process.log_file,
            files=(*map(os.path.abspath, process.files), process.log_file, path),
            persist=self.options.persist,
            launch=self._launch_details(),
        )
        with self._file_errors_in("The record of the kernel cannot be written", path):
            write_record(record, self.runtime_dir)
        self._undo.callback(remove_files, [path])
        if record.persist:
            self._guard.let_persist()
        return record

    def _launch_details(self) -> LaunchDetails | None:
        options = self.options
        # Where there is no schema, a launch parameter may be anything.
        launch_params = as_json(self.launch_params)
        if launch_params is None:
            return None
        return LaunchDetails(
            launch_params=launch_params,
            env=dict(options.env),
            extra_arguments=tuple(options.extra_arguments),
            transport=options.transport,
            encryption=options.encryption,
            limits=options.limits,
        )

    def _spawn(self, popen_kwargs: dict[str, Any], log_file: str) -> Popen[bytes]:
        self._guard.keep_log_short(log_file)
        with self._file_errors_in("The log file cannot be written"):
            log = open_new_file(log_file, os.O_WRONLY | os.O_APPEND)
        self._undo.callback(remove_files, [log_file])
        popen_kwargs.setdefault("stdout", log)
        popen_kwargs.setdefault("stderr", log)
        argv = popen_kwargs["args"]
        try:
            return spawn(popen_kwargs)
        except (OSError, ValueError) as error:
            raise KernelLaunchError(_why_not_spawned(error, popen_kwargs), argv=argv) from error
        finally:
            os.close(log)

    @abstractmethod
    def _address(self) -> str:
        """Return what the connection info has as ``ip``, once there are ports."""

    @contextmanager
    def _launching(self) -> Generator[None]:
        self._is_launching = True
        try:
            yield
        finally:
            self._is_launching = False

    def _check(self) -> None:
        if self._is_launching:
            reason = "The launcher is starting a kernel already; make one launcher for each kernel"
            raise KernelLaunchError(reason, argv=self.kernel_cmd)
        wanted = self.options.transport
        if wanted not in ("auto", self.transport):
            reason = f"{type(self).__name__} speaks {self.transport}, not {wanted}"
            raise LaunchOptionError("transport", reason)
        if not _KERNEL_ID.fullmatch(self.kernel_id):
            reason = f"{self.kernel_id!r} has characters other than letters, digits and '.-_'"
            raise LaunchOptionError("kernel_id", reason)
        check_limits(self.limits)
        if self.options.connection_info is not None:
            check_connection_info(
                self.options.connection_info, self.transport, self.options.encryption
            )
        if not self.kernel_cmd:
            raise KernelLaunchError("The kernel has an empty command")
        if self.cwd is not None and not os.path.isdir(self.cwd):
            reason = f"The working directory {self.cwd!r} does not exist"
            raise KernelLaunchError(reason, argv=self.kernel_cmd)

    def _make_runtime_dir(self) -> str:
        with self._file_errors_in("The runtime directory cannot be made"):
            if self._given_runtime_dir is None:
                return os.path.abspath(make_runtime_dir())
            os.makedirs(self._given_runtime_dir, mode=0o700, exist_ok=True)
            return os.path.abspath(self._given_runtime_dir)

    def _placeholders(self, connection_file: str) -> dict[str, object]:
        # The names of the system win over launch parameters, also where they have no value.
        values = self.launch_params | {
            "connection_file": connection_file,
            "kernel_id": self.kernel_id,
            "prefix": sys.prefix,
            "resource_dir": self.resource_dir,
        }
        return {name: value for name, value in values.items() if value is not None}

    @contextmanager
    def _errors_in(self, what: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise KernelLaunchError(f"{what} ({error})", argv=self.kernel_cmd) from error

    @contextmanager
    def _file_errors_in(self, what: str, path: str | None = None) -> Generator[None]:
        try:
            yield
        except OSError as error:
            # A write that fails does not say of what it was one.
            error.filename = error.filename or path
            reason = f"{what} ({error}){way_out(error)}"
            raise KernelLaunchError(reason, argv=self.kernel_cmd) from error


def _absolute(cwd: str | None) -> str | None:
    try:
        return os.path.abspath(cwd or ".")
    except FileNotFoundError:  # the working directory of this process has been removed
        return None


def _why_not_spawned(error: OSError | ValueError, popen_kwargs: Mapping[str, Any]) -> str:
    program, cwd = popen_kwargs["args"][0], popen_kwargs.get("cwd")
    if cwd is not None and isinstance(error, OSError) and error.filename == cwd:
        return f"The working directory {cwd!r} cannot be entered ({error.strerror})"
    if isinstance(error, FileNotFoundError):
        return f"There is no program {program!r}"
    if isinstance(error, PermissionError):
        return f"The program {program!r} may not be executed"
    return f"The program {program!r} cannot be started ({error})"
