"""What importing costs over starting Python alone, and what it brings along."""

from __future__ import annotations

from functools import partial

from ._model import JUPYTER_CLIENT, OURS, Case, Metrics, Row, Scenario, at_most, at_most_over
from ._programs import BARE, fastest_ms, output_of

# What `import kernel_mgmt` must not load, and a thread is one more.
HEAVY = """
import sys, threading
import kernel_mgmt
heavy = {"anyio", "IPython", "importlib.metadata", "importlib_metadata", "jsonschema",
    "jupyter_client", "zmq"}
print(len(heavy & sys.modules.keys()) + threading.active_count() - 1)
"""


def importing(statement: str) -> Metrics:
    """Time Python with one statement."""
    return {"ms": fastest_ms("-c", statement)}


def importing_ours() -> Metrics:
    """Time the import of kernel_mgmt, and count what it must not bring."""
    return {**importing("import kernel_mgmt"), "heavy": float(output_of("-c", HEAVY))}


SCENARIO = Scenario(
    summary="what `import kernel_mgmt` costs over bare Python",
    repeat=2,
    cases=(
        Case(
            "package",
            {
                BARE: partial(importing, "pass"),
                OURS: importing_ours,
                JUPYTER_CLIENT: partial(importing, "import jupyter_client"),
            },
            (
                Row("ms", "wall time of the process", "ms", (at_most_over(15, BARE),)),
                Row("heavy", "heavy modules and threads that it brings", "", (at_most(0),)),
            ),
        ),
        Case(
            "start function",
            {
                BARE: partial(importing, "pass"),
                OURS: partial(importing, "from kernel_mgmt import start_kernel_async"),
                JUPYTER_CLIENT: partial(importing, "from jupyter_client import AsyncKernelManager"),
            },
            (Row("ms", "wall time of the process", "ms"),),
        ),
    ),
)
