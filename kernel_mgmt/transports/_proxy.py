"""Connections by way of the proxy that the environment names."""

from __future__ import annotations

import ssl
from base64 import b64encode
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

__all__ = ("connect_tcp", "proxy_for")

# The answer of a proxy is no longer than this (bytes).
_LONGEST_ANSWER = 65_536


def proxy_for(host: str, port: int, *, secure: bool) -> str | None:
    """Return the URL of the proxy by which a host is reached; ``None`` without one.

    ``HTTPS_PROXY`` counts where the connection is encrypted, ``HTTP_PROXY`` where it is not, and
    ``ALL_PROXY`` for both, but for the hosts of ``NO_PROXY`` and this machine.
    """
    if _is_this_machine(host) or proxy_bypass(f"{host}:{port}"):
        return None
    proxies = getproxies()
    schemes = ("wss", "https", "all") if secure else ("ws", "http", "all")
    return next((proxies[scheme] for scheme in schemes if scheme in proxies), None)


async def connect_tcp(host: str, port: int, *, secure: bool) -> ByteStream:
    """Connect, by way of a proxy if there is one for the host.

    :param secure: whether TLS will be spoken over the connection
    :raises OSError: if that fails, or the proxy refuses
    :raises ValueError: if the proxy is of an unknown kind
    """
    proxy = proxy_for(host, port, secure=secure)
    if proxy is None:
        return await anyio.connect_tcp(host, port)
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError(
            f"a proxy of the kind {parts.scheme!r} cannot be used, only http and https"
        )
    usual = 443 if parts.scheme == "https" else 80
    stream: ByteStream = await anyio.connect_tcp(parts.hostname, parts.port or usual)
    try:
        if parts.scheme == "https":
            context = ssl.create_default_context()
            stream = await TLSStream.wrap(
                stream, hostname=parts.hostname, ssl_context=context, standard_compatible=False
            )
        await _ask_for_tunnel(stream, host, port, parts.username, parts.password)
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise
    return stream


async def _ask_for_tunnel(
    stream: ByteStream, host: str, port: int, user: str | None, password: str | None
) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if user is not None:
        pair = f"{unquote(user)}:{unquote(password or '')}".encode()
        lines.append(f"Proxy-Authorization: Basic {b64encode(pair).decode()}")
    await stream.send("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _LONGEST_ANSWER:
        answer += await stream.receive()
    status = answer.partition(b"\r\n")[0].decode(errors="replace")
    if status.split(" ")[1:2] != ["200"]:
        raise OSError(f"the proxy answers {status!r:.100}")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
