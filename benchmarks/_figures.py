"""Medians, spreads and paired comparisons of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from ._harness import CaseResult
from ._model import Metrics, Row, Target


@dataclass(frozen=True)
class Figure:
    """The values of one peer in one row.

    :ivar low: the first quartile
    :ivar high: the third quartile
    """

    values: Sequence[float]
    median: float
    low: float
    high: float


def figures(result: CaseResult, row: Row) -> dict[str, Figure]:
    """Return the figure of each peer that has the row, in the order of the case."""
    by_peer = {
        peer: tuple(taken[peer][row.metric] for taken in result.rounds if _has(taken, peer, row))
        for peer in result.case.peers
        if peer not in result.failures
    }
    return {peer: _figure(values) for peer, values in by_peer.items() if values}


def compare(result: CaseResult, row: Row, target: Target, peer: str) -> float | None:
    """Return the median of what the target bounds, taken round by round.

    :param peer: the peer that is looked at, which need not be the target's
    :return: ``None`` if there is nothing to compare
    """
    values = [
        _relate(target, taken[peer][row.metric], taken[target.to][row.metric] if target.to else 0.0)
        for taken in result.rounds
        if _has(taken, peer, row) and (not target.to or _has(taken, target.to, row))
    ]
    return median(values) if values else None


def _has(taken: Mapping[str, Metrics], peer: str, row: Row) -> bool:
    return row.metric in taken.get(peer, {})


def _relate(target: Target, value: float, other: float) -> float:
    if target.relation == "ratio":
        return value / other
    return value - other if target.relation == "difference" else value


def _figure(values: Sequence[float]) -> Figure:
    if len(values) < 2:
        return Figure(values, values[0], values[0], values[0])
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return Figure(values, middle, low, high)
