"""How a kernel is reached, as attributes: what a connection file says."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack, cast

from kernel_mgmt.transports.zmq import connect_socket

from ._session import Session

if TYPE_CHECKING:
    import zmq

    from kernel_mgmt.types import ConnectionInfo, JSONDict

__all__ = (
    "PORT_NAMES",
    "ConnectionSettings",
    "Settings",
    "check_keywords",
    "connection_settings",
)

if TYPE_CHECKING:
    Socket: TypeAlias = zmq.Socket[bytes]

PORT_NAMES = ("shell_port", "stdin_port", "iopub_port", "hb_port", "control_port")


class Settings(TypedDict, total=False):
    """What may be told of a kernel when a client or a manager is made.

    :ivar connection_file: where it is read from
    :ivar transport: ``"tcp"`` or ``"ipc"``
    :ivar ip: the address of the kernel; with ipc, what the paths of its sockets begin with
    :ivar shell_port: the port of a channel, and likewise the others; 0 if it is yet to be told
    :ivar key: signs the messages
    :ivar session: who speaks to the kernel; it takes ``key`` and ``signature_scheme``, if given
    """

    connection_file: str | PathLike[str]
    transport: str
    ip: str
    shell_port: int
    stdin_port: int
    iopub_port: int
    hb_port: int
    control_port: int
    key: bytes | str
    signature_scheme: str
    session: Session
    kernel_name: str
    curve_publickey: bytes | str | None
    curve_secretkey: bytes | str | None


def check_keywords(name: str, given: Iterable[str], known: Collection[str]) -> None:
    """Make sure that what is made is given keywords that it knows.

    :raises TypeError: if it is not
    """
    for keyword in given:
        if keyword not in known:
            raise TypeError(f"{name}() got an unexpected keyword argument {keyword!r}")


def connection_settings(settings: Mapping[str, Any]) -> Settings:
    """Return those of some settings that tell how a kernel is reached."""
    known = {key: value for key, value in settings.items() if key in Settings.__annotations__}
    return cast("Settings", known)


class ConnectionSettings:
    """How a kernel is reached, as attributes, and sockets that are connected to it."""

    def __init__(self, **settings: Unpack[Settings]) -> None:
        check_keywords(type(self).__name__, settings, Settings.__annotations__)
        self.connection_file = fspath(settings.get("connection_file", ""))
        self.transport = settings.get("transport", "tcp")
        self.shell_port = settings.get("shell_port", 0)
        self.stdin_port = settings.get("stdin_port", 0)
        self.iopub_port = settings.get("iopub_port", 0)
        self.hb_port = settings.get("hb_port", 0)
        self.control_port = settings.get("control_port", 0)
        self.session = settings.get("session") or Session()
        self.kernel_name = settings.get("kernel_name", "")
        self.curve_publickey = _bytes(settings.get("curve_publickey"))
        self.curve_secretkey = _bytes(settings.get("curve_secretkey"))
        self.ip = settings.get("ip") or self._usual_ip()
        self._set_key(settings.get("key"), settings.get("signature_scheme"))

    @property
    def ports(self) -> list[int]:
        """The ports of shell, stdin, iopub, hb and control."""
        return [getattr(self, name) for name in PORT_NAMES]

    def get_connection_info(self, session: bool = False) -> JSONDict:
        """Return how the kernel is reached, as a dict.

        :param session: whether it has the session, in place of the key and the signature scheme
        :return: the content of a connection file; but the key is bytes
        """
        info: JSONDict = {"transport": self.transport, "ip": self.ip}
        info |= {name: getattr(self, name) for name in PORT_NAMES}
        if session:
            info["session"] = self.session.clone()
        else:
            info["signature_scheme"] = self.session.signature_scheme
            info["key"] = self.session.key
        if self.curve_publickey is not None and self.curve_secretkey is not None:
            info["curve_publickey"] = self.curve_publickey.decode()
            info["curve_secretkey"] = self.curve_secretkey.decode()
        return info

    def load_connection_file(self, connection_file: str | PathLike[str] | None = None) -> None:
        """Read a connection file; ports that are set already stay as they are.

        :param connection_file: its path; that of the attribute when ``None``
        :raises OSError: if it cannot be read
        :raises ValueError: if it is not JSON
        """
        path = self.connection_file if connection_file is None else fspath(connection_file)
        with open(path, encoding="utf-8") as file:
            info: Any = json.load(file)
        if not isinstance(info, dict):
            raise ValueError(f"{path} is not a connection file: it holds no JSON object")
        self.connection_file = path
        self.load_connection_info(cast("JSONDict", info))

    def load_connection_info(self, info: Mapping[str, Any]) -> None:
        """Take how the kernel is reached from a dict; ports that are set already stay as they are.

        :param info: the content of a connection file
        """
        self.transport = info.get("transport", self.transport)
        self.ip = info.get("ip") or self._usual_ip()
        for name in PORT_NAMES:
            if not getattr(self, name):
                setattr(self, name, info.get(name, 0))
        self._set_key(info.get("key"), info.get("signature_scheme"))
        if "curve_publickey" in info and "curve_secretkey" in info:
            self.curve_publickey = _bytes(info["curve_publickey"])
            self.curve_secretkey = _bytes(info["curve_secretkey"])

    def replace_connection_info(self, info: Mapping[str, Any]) -> None:
        """Take how another kernel is reached from a dict, ports and all."""
        for name in PORT_NAMES:
            setattr(self, name, 0)
        self.curve_publickey = self.curve_secretkey = None
        self.load_connection_info(info)

    def connect_shell(self, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to shell; the caller closes it, as those of the others.

        :param identity: the routing id, which a kernel refuses as long as another socket has it
        """
        return connect_socket(self._connection_info(), "shell", identity=identity)

    def connect_iopub(self, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to iopub, and subscribes to everything."""
        return connect_socket(self._connection_info(), "iopub", identity=identity)

    def connect_stdin(self, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to stdin."""
        return connect_socket(self._connection_info(), "stdin", identity=identity)

    def connect_control(self, identity: bytes | None = None) -> Socket:
        """Return a socket that is connected to control."""
        return connect_socket(self._connection_info(), "control", identity=identity)

    def connect_hb(self, identity: bytes | None = None) -> Socket:
        """Return a socket (REQ) that is connected to the heartbeat."""
        return connect_socket(self._connection_info(), "hb", identity=identity)

    def _connection_info(self) -> ConnectionInfo:
        info = self.get_connection_info()
        return cast("ConnectionInfo", info | {"key": self.session.key.decode()})

    def _set_key(self, key: bytes | str | None, signature_scheme: str | None) -> None:
        if key is not None:
            self.session.key = _bytes(key) or b""
        if signature_scheme is not None:
            self.session.signature_scheme = signature_scheme

    def _usual_ip(self) -> str:
        if self.transport != "ipc":
            return "127.0.0.1"
        return os.path.splitext(os.path.abspath(self.connection_file or "kernel"))[0] + "-ipc"


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
