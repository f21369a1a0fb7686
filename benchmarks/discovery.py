"""Listing the kernel types on the command line, with ten kernelspecs."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ._environment import write_kernelspecs
from ._model import JUPYTER_CLIENT, OURS, Case, Metrics, Row, Scenario, at_most, at_most_times
from ._programs import METADATA, importing, over_bare

SPECS = 10
# The commands beside the interpreter.
BESIDE = Path(sys.executable).parent
KERNELSPEC_LIST = (str(BESIDE / "jupyter"), "kernelspec", "list")


def listing(*argv: str) -> Metrics:
    """Time a program that sees ten kernelspecs besides those that are installed."""
    with TemporaryDirectory() as directory:
        write_kernelspecs(Path(directory, "kernels"), SPECS)
        return over_bare(*argv, env={**os.environ, "JUPYTER_PATH": directory})


SCENARIO = Scenario(
    summary="`python -m kernel_mgmt.discovery` over bare Python, and `kernel-mgmt list`",
    cases=(
        Case(
            "command",
            {
                METADATA: partial(importing, "import importlib.metadata"),
                OURS: partial(listing, sys.executable, "-m", "kernel_mgmt.discovery"),
                JUPYTER_CLIENT: partial(listing, *KERNELSPEC_LIST),
            },
            (
                Row(
                    "over_ms",
                    "wall time over bare Python",
                    "ms",
                    (at_most(60), at_most_times(2.2, METADATA), at_most_times(1, JUPYTER_CLIENT)),
                ),
            ),
        ),
        Case(
            "kernel-mgmt list",
            {
                OURS: partial(listing, str(BESIDE / "kernel-mgmt"), "list"),
                JUPYTER_CLIENT: partial(listing, *KERNELSPEC_LIST),
            },
            (Row("wall_ms", "wall time", "ms", (at_most_times(0.5, JUPYTER_CLIENT),)),),
        ),
    ),
)
