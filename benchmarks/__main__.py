"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ._environment import private_environment
from ._harness import CaseResult, run_case
from ._report import as_table, write_json
from ._scenarios import load_scenario, scenario_names

ROUNDS = 10
QUICK_ROUNDS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios that are asked for.

    :return: 1 if a peer could not be measured, else 0, whether the targets are met or not
    """
    options = _parser().parse_args(arguments)
    # So that a run which is told to end also ends what it has started.
    signal.signal(signal.SIGTERM, _end)
    names = scenario_names() if "all" in options.scenarios else options.scenarios
    rounds = QUICK_ROUNDS if options.quick else options.rounds
    results: list[CaseResult] = []
    for result in _run(names, rounds):
        results.append(result)
        print(as_table(result), end="\n\n", flush=True)
    if options.json:
        write_json(results, options.json)
    return 1 if any(result.failures for result in results) else 0


def _end(signum: int, frame: object) -> None:
    sys.exit(128 + signum)


def _run(names: Sequence[str], rounds: int) -> Iterator[CaseResult]:
    with private_environment() as where:
        for name in names:
            scenario = load_scenario(name)
            for case in scenario.cases:
                yield run_case(name, scenario, case, rounds, where, _progress)
                _progress("")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    names = scenario_names()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure kernel_mgmt beside its peers, which run in turn.",
        epilog="scenarios:\n" + "\n".join(f"  {n:12}{load_scenario(n).summary}" for n in names),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenarios", nargs="+", choices=[*names, "all"], metavar="SCENARIO")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
