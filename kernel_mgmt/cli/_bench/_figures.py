"""Figures that were measured, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from kernel_mgmt.cli._terminal import print_json, print_table

__all__ = ("UNITS", "Figures", "print_figures")

UNITS: Mapping[str, str] = {
    "start": "s",
    "first_reply": "s",
    "round_trip": "ms",
    "execute": "ms",
    "messages": "1/s",
    "text": "MB/s",
    "stop": "s",
}
"""What is measured, in the order of the table, and its unit."""


@dataclass
class Figures:
    """What was measured so far of one kernel type.

    :ivar transport: how its kernels were reached; ``None`` before the first one
    :ivar samples: by what they are of, which :data:`UNITS` lists
    """

    kernel: str
    transport: str | None = None
    samples: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in UNITS})

    def add(self, name: str, value: float) -> None:
        """Take note of a sample."""
        self.samples[name].append(value)


def print_figures(figures: Figures, output: str) -> None:
    """Print the figures.

    :param output: ``table`` or ``json``
    """
    if output == "json":
        print_json(_as_json(figures))
        return
    rows = [
        (name, unit, str(len(samples)), *map(_shown, _summary(samples, unit)))
        for name, unit in UNITS.items()
        if (samples := figures.samples[name])
    ]
    print_table(("FIGURE", "UNIT", "N", "P50", "P95", "BEST", "WORST"), rows)


def _as_json(figures: Figures) -> dict[str, object]:
    told: dict[str, object] = {}
    for name, unit in UNITS.items():
        samples = figures.samples[name]
        summary = _summary(samples, unit) if samples else (None,) * 4
        values = dict(zip(("p50", "p95", "best", "worst"), summary, strict=True))
        told[name] = {"unit": unit, "n": len(samples), **values}
    return {"kernel": figures.kernel, "transport": figures.transport, "figures": told}


def _summary(samples: Sequence[float], unit: str) -> tuple[float, float, float, float]:
    """What half of the samples, 95 of 100, the best and all of them come up to."""
    # Of a rate, much is good.
    sign = -1 if unit.endswith("/s") else 1
    costs = [sign * sample for sample in samples]
    cuts = quantiles(costs if len(costs) > 1 else 2 * costs, n=100, method="inclusive")
    return sign * cuts[49], sign * cuts[94], sign * min(costs), sign * max(costs)


def _shown(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
