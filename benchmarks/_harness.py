"""Run the peers of a case in turn, each sample in a fresh process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ._model import Case, Metrics, Scenario
from ._processes import SampleError, run_to_the_end

ROOT = Path(__file__).parent.parent


@dataclass
class CaseResult:
    """What the samples of a case gave.

    :ivar rounds: the metrics by peer, for each round
    :ivar failures: why a peer was left out, by peer
    :ivar tried_again: how often a sample of each peer failed and was taken again
    :ivar left_running: how many processes each peer left running
    """

    scenario: str
    case: Case
    rounds: list[dict[str, Metrics]] = field(default_factory=list[dict[str, Metrics]])
    failures: dict[str, str] = field(default_factory=dict[str, str])
    tried_again: dict[str, int] = field(default_factory=dict[str, int])
    left_running: dict[str, int] = field(default_factory=dict[str, int])


def run_case(
    name: str,
    scenario: Scenario,
    case: Case,
    rounds: int,
    where: tuple[Path, Mapping[str, str]],
    progress: Callable[[str], None],
) -> CaseResult:
    """Take one sample of each peer in turn (A B C A B C …), ``rounds`` times.

    The round before them, which fills caches, does not count. A peer that fails, as often as the
    scenario has it tried, is left out from then on.
    """
    result = CaseResult(name, case)
    for number in range(rounds + 1):
        taken: dict[str, Metrics] = {}
        for peer in case.peers:
            if peer in result.failures:
                continue
            progress(f"{name} {case.name}: round {number} of {rounds}, {peer}")
            try:
                taken[peer] = _try_to_sample(name, peer, result, where, scenario)
            except SampleError as error:
                result.failures[peer] = str(error)
        if number:
            result.rounds.append(taken)
    return result


def _try_to_sample(
    name: str,
    peer: str,
    result: CaseResult,
    where: tuple[Path, Mapping[str, str]],
    scenario: Scenario,
) -> Metrics:
    for _ in range(scenario.tries - 1):
        try:
            return _take_sample(name, peer, result, where, scenario.time_limit)
        except SampleError:
            result.tried_again[peer] = result.tried_again.get(peer, 0) + 1
    return _take_sample(name, peer, result, where, scenario.time_limit)


def _take_sample(
    name: str,
    peer: str,
    result: CaseResult,
    where: tuple[Path, Mapping[str, str]],
    time_limit: float,
) -> Metrics:
    directory, env = where
    file = directory / "result.json"
    file.unlink(missing_ok=True)
    arguments = [name, result.case.name, peer, str(file)]
    argv = [sys.executable, "-m", "benchmarks._sample", *arguments]
    killed = run_to_the_end(argv, env, ROOT, directory / "log", time_limit)
    if killed:
        result.left_running[peer] = result.left_running.get(peer, 0) + killed
    metrics: dict[str, float] = json.loads(file.read_text(encoding="utf-8"))
    return metrics
