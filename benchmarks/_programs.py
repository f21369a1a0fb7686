"""Time whole runs of programs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from tempfile import gettempdir
from time import perf_counter

from ._model import Metrics

METADATA = "importlib.metadata"
BARE = (sys.executable, "-c", "pass")
RUNS = 5
TIME_LIMIT = 30.0


def over_bare(*argv: str, env: Mapping[str, str] | None = None) -> Metrics:
    """Return how long a program takes, and how much longer than bare Python.

    Both are of the fastest of a few runs.
    """
    bare: list[float] = []
    program: list[float] = []
    for _ in range(RUNS):
        bare.append(_wall(BARE, env))
        program.append(_wall(argv, env))
    return {"over_ms": (min(program) - min(bare)) * 1e3, "wall_ms": min(program) * 1e3}


def importing(statement: str) -> Metrics:
    """Return how much longer Python takes with one statement than with none."""
    return over_bare(sys.executable, "-c", statement)


def output_of(code: str) -> str:
    """Return what a piece of Python prints."""
    return _run([sys.executable, "-c", code], None)


def _wall(argv: Sequence[str], env: Mapping[str, str] | None) -> float:
    started = perf_counter()
    _run(argv, env)
    return perf_counter() - started


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
