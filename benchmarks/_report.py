"""Show results as a table, or as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ._figures import Figure, compare, figures
from ._harness import CaseResult
from ._model import FLOOR, OURS, Row, Target

# These are compared with the peers of the targets, also where they have none of their own.
COMPARED = (OURS, FLOOR)
PACKAGES = ("kernel-mgmt", "jupyter_client", "ipykernel", "pyzmq", "msgspec", "anyio", "trio")


def as_table(result: CaseResult) -> str:
    """Return the rows of a case, each with its peers below it, for a terminal."""
    lines: list[str] = []
    for row in result.case.rows:
        found = figures(result, row)
        if found:
            lines += [f"{result.scenario} {result.case.name}: {row.title}, {row.unit}"]
            lines += [_peer_line(result, row, peer, found[peer]) for peer in found]
    for peer, reason in result.failures.items():
        lines += [f"{result.scenario} {result.case.name}: {peer} failed: {reason}"]
    for peer, count in result.tried_again.items():
        lines += [f"{result.scenario} {result.case.name}: {peer} failed {count} times, tried again"]
    for peer, count in result.left_running.items():
        lines += [f"{result.scenario} {result.case.name}: {peer} left {count} processes running"]
    return "\n".join(lines)


def write_json(results: Sequence[CaseResult], file: Path) -> None:
    """Write everything that was measured, with the command and the machine."""
    document = {
        "command": ["python", "-m", "benchmarks", *sys.argv[1:]],
        "machine": _machine(),
        "rows": [entry for result in results for entry in _entries(result)],
        "failures": [
            {"scenario": result.scenario, "case": result.case.name, "peer": peer, "reason": reason}
            for result in results
            for peer, reason in result.failures.items()
        ],
    }
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _peer_line(result: CaseResult, row: Row, peer: str, figure: Figure) -> str:
    spread = f"[{_number(figure.low)} .. {_number(figure.high)}]"
    line = f"  {peer:24}{_number(figure.median):>9}  {spread:20}"
    return (line + "  ".join(_verdicts(result, row, peer))).rstrip()


def _verdicts(result: CaseResult, row: Row, peer: str) -> Iterator[str]:
    shown: set[tuple[str, str]] = set()
    # Those of the peer itself come first, and what they compare is not compared once more.
    for target in sorted(row.targets, key=lambda target: target.peer != peer):
        own = peer == target.peer
        comparison = (target.relation, target.to)
        if not own and (not peer.startswith(COMPARED) or target.to in ("", peer)):
            continue
        if not own and comparison in shown:
            continue
        shown.add(comparison)
        value = compare(result, row, target, peer)
        if value is None:
            continue
        bound = f"≤ {_number(target.limit)}: {_verdict(target, value)}" if own else ""
        relation = _relation(target, value)
        yield f"{relation} ({bound})" if relation and bound else relation or bound


def _relation(target: Target, value: float) -> str:
    if target.relation == "ratio":
        return f"{value:.3g} of {target.to}"
    return f"{_number(value)} over {target.to}" if target.relation == "difference" else ""


def _verdict(target: Target, value: float) -> str:
    return "met" if value <= target.limit else "MISSED"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _entries(result: CaseResult) -> Iterator[dict[str, Any]]:
    for row in result.case.rows:
        yield {
            "scenario": result.scenario,
            "case": result.case.name,
            "metric": row.metric,
            "title": row.title,
            "unit": row.unit,
            "peers": {peer: vars(figure) for peer, figure in figures(result, row).items()},
            "targets": [_target_entry(result, row, target) for target in row.targets],
            "tried_again": result.tried_again,
            "left_running": result.left_running,
        }


def _target_entry(result: CaseResult, row: Row, target: Target) -> dict[str, Any]:
    value = compare(result, row, target, target.peer)
    met = None if value is None else value <= target.limit
    return {**vars(target), "median": value, "met": met}


def _machine() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
