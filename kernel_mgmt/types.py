"""The values that providers, launchers, managers and clients hand to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Required, TypeAlias, TypedDict

Channel: TypeAlias = Literal["shell", "iopub", "stdin", "control", "hb"]
JSONDict: TypeAlias = dict[str, Any]
LaunchParams: TypeAlias = Mapping[str, Any]


class KernelAttributes(TypedDict, total=False):
    """What a provider tells about one kernel type.

    ``find_kernels`` of a provider may leave out anything; what :class:`~kernel_mgmt.discovery.KernelFinder`
    returns has every key but ``argv``, ``resource_dir``, ``kernel_protocol_version``,
    ``launch_parameters``, ``origin`` and ``resources``, which are there only where the kernel type has
    them. ``origin`` is the URL that a kernel type of another machine comes from, and ``resources`` the
    path of each of its files by its name, for ``get_resource`` of its provider.
    """

    display_name: str
    language: str
    language_info: JSONDict
    argv: list[str]
    env: dict[str, str]
    resource_dir: str
    interrupt_mode: Literal["signal", "message"]
    metadata: JSONDict
    kernel_protocol_version: str
    launch_parameters: JSONDict
    origin: str
    resources: dict[str, str]


class ConnectionInfo(TypedDict, total=False):
    """How to reach a kernel: the content of a connection file (JEP 106).

    With the transport ``tcp`` the five ports are TCP ports on ``ip``; with ``ipc`` the socket of a
    channel is the file ``{ip}-{port}``. Where there are CURVE keys (Z85), the kernel is the server
    of that pair, and clients use the same pair for their own.

    With ``websocket`` the kernel is one of a Jupyter Server or gateway, and there are no ports:
    ``url`` is that of its channels, ``ws(s)://host/base/api/kernels/<id>/channels``, and ``headers``
    go with it, the credentials among them. ``verify`` is ``False`` to trust any server, or the file
    or folder of the certificates to trust; ``client_cert`` and ``client_key`` are files, too.
    """

    transport: Required[str]
    ip: str
    shell_port: int
    iopub_port: int
    stdin_port: int
    control_port: int
    hb_port: int
    key: str
    signature_scheme: str
    kernel_name: str
    curve_publickey: str
    curve_secretkey: str
    url: str
    headers: dict[str, str]
    verify: bool | str
    client_cert: str
    client_key: str


class LaunchPlan(TypedDict):
    """How a provider would launch a kernel type.

    The encryption is ``"curve"``, ``"tls"``, or ``"none"`` where messages are at most signed. An interrupt mode of
    ``"unsupported"`` tells that nothing interrupts such kernels. With a handshake the kernel chooses
    its own ports, and tells them (JEP 66).
    """

    transport: str
    encryption: Literal["curve", "tls", "none"]
    interrupt_mode: str
    handshake: bool


@dataclass(frozen=True)
class ExitStatus:
    """How the process of a kernel ended.

    :ivar code: the exit code; ``None`` when a signal ended the process, or when it is not known
    :ivar signal: the number of the signal that ended the process, or ``None``
    :ivar tail: the last lines that the kernel wrote to its stdout and stderr
    :ivar limit: the field of :class:`ResourceLimits` that ended the kernel; ``None`` if none did, or
        if that cannot be told. The system tells it of ``cpu_time``; of ``memory`` and
        ``open_files``, that the tail names the error which a struck limit causes
    """

    code: int | None = None
    signal: int | None = None
    tail: str = ""
    limit: str | None = None

    def __str__(self) -> str:
        how = self._how()
        return how if self.limit is None else f"{how}, for its limit of {self.limit}"

    def _how(self) -> str:
        if self.signal is not None:
            from signal import Signals

            try:
                return f"killed by {Signals(self.signal).name}"
            except ValueError:
                return f"killed by signal {self.signal}"
        return "exit code unknown" if self.code is None else f"exit code {self.code}"


@dataclass(frozen=True)
class ResourceLimits:
    """What a kernel may use; each of its processes may use as much.

    :ivar memory: the data of a process, in bytes: what it has allocated, not what it has mapped
        from files or reserved
    :ivar cpu_time: in seconds
    :ivar open_files: the number of descriptors of a process, sockets among them
    """

    memory: int | None = None
    cpu_time: int | None = None
    open_files: int | None = None


@dataclass(frozen=True)
class LaunchOptions:
    """What the framework, rather than the kernel, is asked to do for a launch.

    :ivar env: environment variables that are added to the kernel's
    :ivar extra_arguments: arguments that are appended to the kernel's argv
    :ivar transport: ``"tcp"``, ``"ipc"``, or ``"auto"`` to let the provider choose
    :ivar encryption: ``"disabled"``, ``"required"``, or ``"auto"`` to encrypt over tcp what a kernel
        can that says so
    :ivar kernel_id: the id that the manager bears; made up when ``None``
    :ivar name: what people call this kernel, for its record
    :ivar limits: what the kernel may use
    :ivar connection_info: that of a kernel which has ended and was cleaned up, for the new one to
        listen where it did, with the same keys
    :ivar restart: whether the kernel takes the place of one that has ended, for providers that can
        make use of what that one had
    :ivar persist: whether the kernel goes on when the program that launched it is gone
    """

    env: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    extra_arguments: Sequence[str] = ()
    transport: Literal["auto", "tcp", "ipc"] = "auto"
    encryption: Literal["auto", "required", "disabled"] = "auto"
    kernel_id: str | None = None
    name: str | None = None
    limits: ResourceLimits | None = None
    # It holds keys, which belong into no log.
    connection_info: ConnectionInfo | None = field(default=None, repr=False)
    restart: bool = False
    persist: bool = False


@dataclass(frozen=True)
class Problem:
    """Something that could not be listed, and why.

    :ivar provider: the id of the provider that it concerns
    :ivar reason: one sentence that names what is wrong
    :ivar name: the kernel type within the provider, if it is a matter of one
    :ivar path: the file or directory at fault
    :ivar distribution: the installed distribution that the provider comes from
    :ivar fix: what to do about it, such as a line for the shell
    :ivar exception: the exception behind it
    """

    provider: str
    reason: str
    name: str | None = None
    path: str | None = None
    distribution: str | None = None
    fix: str | None = None
    exception: BaseException | None = field(default=None, compare=False)

    def __str__(self) -> str:
        where = f"{self.provider}/{self.name}" if self.name else self.provider
        origin = f" ({self.path or self.distribution})" if self.path or self.distribution else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{where}{origin}: {self.reason}{fix}"
