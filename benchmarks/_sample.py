"""Take one sample in this process: ``python -m benchmarks._sample SCENARIO CASE PEER FILE``."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from ._scenarios import find_peer


def main(scenario: str, case: str, peer: str, result: str) -> None:
    """Run the peer and write its metrics to the file ``result``, since kernels may print."""
    # A shell that runs the benchmarks in the background has SIGINT ignored, which changes launches.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    metrics = find_peer(scenario, case, peer)()
    Path(result).write_text(json.dumps(dict(metrics)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
