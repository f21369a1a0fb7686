"""What importing costs over starting Python alone, and what it brings along."""

from __future__ import annotations

from functools import partial

from ._model import JUPYTER_CLIENT, OURS, Case, Metrics, Row, Scenario, at_most, at_most_times
from ._programs import METADATA, importing, output_of

# What `import kernel_mgmt` must not load, and a thread is one more.
HEAVY = """
import sys, threading
import kernel_mgmt
heavy = {"anyio", "IPython", "importlib.metadata", "importlib_metadata", "jsonschema",
    "jupyter_client", "zmq"}
print(len(heavy & sys.modules.keys()) + threading.active_count() - 1)
"""


def importing_ours() -> Metrics:
    """Time the import of kernel_mgmt, and count what it must not bring."""
    return {**importing("import kernel_mgmt"), "heavy": float(output_of(HEAVY))}


SCENARIO = Scenario(
    summary="what `import kernel_mgmt` costs over bare Python",
    cases=(
        Case(
            "package",
            {
                METADATA: partial(importing, "import importlib.metadata"),
                OURS: importing_ours,
                JUPYTER_CLIENT: partial(importing, "import jupyter_client"),
            },
            (
                Row(
                    "over_ms",
                    "wall time over bare Python",
                    "ms",
                    (at_most(15), at_most_times(0.56, METADATA)),
                ),
                Row("heavy", "heavy modules and threads that it brings", "number", (at_most(0),)),
            ),
        ),
        Case(
            "start function",
            {
                METADATA: partial(importing, "import importlib.metadata"),
                OURS: partial(importing, "from kernel_mgmt import start_kernel_async"),
                JUPYTER_CLIENT: partial(importing, "from jupyter_client import AsyncKernelManager"),
            },
            (Row("over_ms", "wall time over bare Python", "ms"),),
        ),
    ),
)
