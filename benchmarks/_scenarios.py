"""The scenarios: every module of this package without a leading underscore is one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import benchmarks

from ._model import Peer, Scenario


def scenario_names() -> list[str]:
    """Return the names of the scenarios."""
    found = (module.name for module in iter_modules(benchmarks.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def load_scenario(name: str) -> Scenario:
    """Return the scenario of the module ``name``, which is its global ``SCENARIO``."""
    scenario: Scenario = import_module(f"benchmarks.{name}").SCENARIO
    return scenario


def find_peer(scenario: str, case: str, peer: str) -> Peer:
    """Return the function that takes one sample of a peer."""
    cases = {case.name: case for case in load_scenario(scenario).cases}
    return cases[case].peers[peer]
