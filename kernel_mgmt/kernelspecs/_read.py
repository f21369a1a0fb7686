"""Reading a ``kernel.json``, which may be anything at all."""

from __future__ import annotations

import json
import os
import stat
from os import PathLike
from typing import cast

from kernel_mgmt.exceptions import KernelSpecError

from ._spec import KernelSpec, UnusableError, parse_kernel_spec

MAXIMUM_SIZE = 1_000_000


def read_kernel_spec(
    resource_dir: str | PathLike[str], *, kernel_file: str = "kernel.json"
) -> KernelSpec:
    """Read the kernelspec in a folder.

    :param kernel_file: the file that holds it
    :raises KernelSpecError: if there is none, or it cannot be used
    """
    resource_dir = os.path.abspath(resource_dir)
    path = os.path.join(resource_dir, kernel_file)
    name = os.path.basename(resource_dir).lower()
    try:
        return read_kernel_file(path, name, resource_dir, os.stat(path))
    except (OSError, UnusableError) as error:
        raise KernelSpecError(path, explain(error)) from error


def logos(resource_dir: str | PathLike[str]) -> dict[str, str]:
    """Return the logos of a kernel: their names, such as ``logo-64x64``, and their paths."""
    try:
        names = sorted(os.listdir(resource_dir))
    except OSError:
        return {}
    return {
        os.path.splitext(name)[0]: os.path.join(resource_dir, name)
        for name in names
        if name.startswith("logo-")
    }


def read_kernel_file(path: str, name: str, resource_dir: str, status: os.stat_result) -> KernelSpec:
    """Read a ``kernel.json``.

    :param status: what ``os.stat`` says of it
    :raises OSError: if it cannot be read
    :raises UnusableError: if no kernel could be started from it
    """
    # Nothing else is even opened: opening alone has an effect on some devices.
    if not stat.S_ISREG(status.st_mode):
        raise UnusableError("it is not a regular file")
    if status.st_size > MAXIMUM_SIZE:
        raise UnusableError(f"it is larger than {MAXIMUM_SIZE} bytes")
    oddities: list[str] = []
    content = _decode(_read(path, status.st_size), oddities)
    return parse_kernel_spec(content, name, path, resource_dir, oddities)


def explain(error: Exception) -> str:
    """Say in one sentence, without the path, why a kernel.json was not read."""
    if isinstance(error, FileNotFoundError):
        return "it is not there, or went away while it was read"
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read: {error.strerror}"
    return str(error)


# Should a pipe have taken the place of the file, opening and reading it does not wait.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _read(path: str, size: int) -> bytes:
    descriptor = os.open(path, _FLAGS)
    try:
        content = os.read(descriptor, size + 1)
        # Shorter or longer than it was: it is being written, or comes in pieces.
        while len(content) != size and (piece := os.read(descriptor, MAXIMUM_SIZE)):
            content += piece
            if len(content) > MAXIMUM_SIZE:
                raise UnusableError(f"it is larger than {MAXIMUM_SIZE} bytes")
        return content
    finally:
        os.close(descriptor)


def _decode(content: bytes, oddities: list[str]) -> object:
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
        oddities.append("it begins with a byte order mark; it is read without it")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UnusableError(f"it is not UTF-8: byte {error.start} is {error.reason}") from error
    try:
        # What JSON has no words for is rare: the usual file is decoded without looking for it.
        if "NaN" in text or "Infinity" in text or "\\u" in text:
            return _decode_with_care(text, oddities)
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise UnusableError(f"it is not JSON: {error}") from error
    except RecursionError as error:
        raise UnusableError("it is nested too deeply") from error
    except ValueError as error:
        # Python refuses to read integers of thousands of digits.
        raise UnusableError(f"it is not usable as JSON: {error}") from error


_DECODER = json.JSONDecoder()


def _decode_with_care(text: str, oddities: list[str]) -> object:
    constants: set[str] = set()
    value: object = json.loads(text, parse_constant=constants.add)
    oddities.extend(f"{name} is not JSON; it is read as null" for name in sorted(constants))
    whole = _without_lone_surrogates(value)
    if whole != value:
        oddities.append("it has halves of characters in it; they are read as '?'")
    return whole


def _without_lone_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {
            cast(str, _without_lone_surrogates(key)): _without_lone_surrogates(item)
            for key, item in cast("dict[str, object]", value).items()
        }
    return value
