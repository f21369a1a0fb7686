"""Where code comes from: a file, an argument, or stdin."""

from __future__ import annotations

import os
import sys
import tokenize
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ._status import CommandError, Status

__all__ = ("Source", "read_argument", "read_file", "read_stdin")


@dataclass(frozen=True)
class Source:
    """Code, with what it is called in messages.

    :ivar uses_stdin: whether it was read from stdin, where it then cannot ask for anything
    """

    name: str
    code: str
    uses_stdin: bool = False


def read_argument(code: str) -> Source:
    """Take code from the command line.

    :raises CommandError: if it is no text
    """
    try:
        code.encode()
    except UnicodeEncodeError:
        # It has bytes in it that the locale has no characters for; UTF-8 may have.
        try:
            code = os.fsencode(code).decode()
        except UnicodeError as error:
            message = f"The code is no text of its encoding: {error}"
            raise CommandError(message, Status.USAGE) from error
    return Source("the code", code)


def read_file(path: Path) -> Source:
    """Read a script.

    :raises CommandError: if it cannot be read, or is no text
    """
    try:
        return Source(str(path), _decode(path.read_bytes()))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", Status.USAGE) from error
    except (SyntaxError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is no text of its encoding: {error}", Status.USAGE) from error


def read_stdin() -> Source:
    """Read code from stdin, to its end.

    :raises CommandError: if it is no text
    """
    try:
        code = _decode(sys.stdin.buffer.read())
    except (SyntaxError, UnicodeDecodeError) as error:
        raise CommandError(f"stdin is no text of its encoding: {error}", Status.USAGE) from error
    return Source("stdin", code, uses_stdin=not sys.stdin.isatty())


def _decode(content: bytes) -> str:
    # The line that names another encoding is Python's, and that of Emacs for all languages.
    encoding, _ = tokenize.detect_encoding(BytesIO(content).readline)
    return content.decode(encoding).replace("\r\n", "\n")
