"""Versions of jupyter_client that are shut out of kernels which encrypt."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import suppress
from importlib import metadata

from kernel_mgmt.cli._doctor._findings import Finding, note, ok

_FIRST_WITH_CURVE = (8, 9)
_TELL = "from importlib.metadata import version; print(version('jupyter_client'))"
_SECONDS = 20


def check_jupyter_client(versions: dict[str, str] | None = None) -> Finding:
    """Tell whether other programs can attach to kernels over tcp which encrypt.

    :param versions: those of jupyter_client, by where they are; by default, that of this
        environment, and that of the program ``jupyter`` that is found first
    """
    known = _versions() if versions is None else versions
    if not known:
        return ok("there is none here")
    told = ", ".join(f"{version} ({where})" for where, version in known.items())
    if all(_parsed(version) >= _FIRST_WITH_CURVE for version in known.values()):
        return ok(told)
    return note(
        f"{told}: before 8.9, it cannot attach to kernels over tcp that encrypt",
        'upgrade it, or configure encryption = "disabled" for the provider',
    )


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    with suppress(metadata.PackageNotFoundError):
        found["this environment"] = metadata.version("jupyter_client")
    program = shutil.which("jupyter")
    interpreter = None if program is None else _interpreter_of(program)
    if program is not None and interpreter is not None and (told := _ask(interpreter)):
        found[program] = told
    return found


def _interpreter_of(program: str) -> str | None:
    """Return the Python that runs a script, if its first line names one."""
    try:
        with open(program, "rb") as file:
            line = file.readline(1000).decode(errors="replace").strip()
    except OSError:
        return None
    return line[2:].strip() if line.startswith("#!/") and "python" in line else None


def _ask(interpreter: str) -> str | None:
    try:
        told = subprocess.run(
            [*interpreter.split(), "-c", _TELL],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return told.stdout.strip()


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))
