"""Time whole runs of Python."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from tempfile import gettempdir
from time import perf_counter

BARE = "bare Python"
RUNS = 3
TIME_LIMIT = 30.0


def fastest_ms(*arguments: str, env: Mapping[str, str] | None = None) -> float:
    """Return the wall time of the fastest of a few runs of Python, in milliseconds."""
    return fastest_program_ms([sys.executable, *arguments], env)


def fastest_program_ms(argv: Sequence[str], env: Mapping[str, str] | None = None) -> float:
    """Return the wall time of the fastest of a few runs of a program, in milliseconds."""
    walls: list[float] = []
    for _ in range(RUNS):
        started = perf_counter()
        _run(argv, env)
        walls.append(perf_counter() - started)
    return min(walls) * 1e3


def output_of(*arguments: str) -> str:
    """Return what Python prints."""
    return _run([sys.executable, *arguments], None)


def _run(argv: Sequence[str], env: Mapping[str, str] | None) -> str:
    # Not in the checkout: it would be the first place that imports are looked for.
    finished = subprocess.run(
        argv,
        env=env,
        cwd=gettempdir(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=TIME_LIMIT,
        check=True,
        text=True,
    )
    return finished.stdout
