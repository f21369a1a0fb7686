"""Write a file so that nobody ever finds it half written."""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex
from stat import S_IMODE

__all__ = ("write_whole",)


def write_whole(path: Path, text: str) -> None:
    """Write a file, which holds the old content until it holds the new; its mode stays.

    A link stays a link, and what is no plain file is written to as it is.

    :raises OSError: if that cannot be; then the file is as it was
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        if path.exists():
            unfinished.chmod(S_IMODE(path.stat().st_mode))
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink()
        raise
