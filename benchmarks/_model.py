"""What a benchmark is made of: scenarios, cases, rows and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Metrics: TypeAlias = Mapping[str, float]
Peer: TypeAlias = Callable[[], Metrics]

OURS = "kernel_mgmt"
OURS_TRIO = "kernel_mgmt trio"
OURS_HANDLER = "kernel_mgmt handler"
FLOOR = "floor"
FLOOR_LOOP = "floor loop"
JUPYTER_CLIENT = "jupyter_client"


@dataclass(frozen=True)
class Target:
    """A bound that the median over the rounds has to meet.

    :ivar limit: the highest median that meets the target
    :ivar relation: what the median is taken of: the values, or the ratios or differences to the
        values that another peer had in the same rounds
    :ivar to: that other peer
    :ivar peer: the peer the target is for
    """

    limit: float
    relation: Literal["value", "ratio", "difference"] = "value"
    to: str = ""
    peer: str = OURS


@dataclass(frozen=True)
class Row:
    """One figure of a case.

    :ivar metric: its key in what the peers return
    :ivar title: what it is, for a person
    :ivar unit: its unit
    :ivar targets: the bounds it has to meet; the peers that stand in them are compared anyway
    """

    metric: str
    title: str
    unit: str
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True)
class Case:
    """Peers that do the same thing, in turn.

    :ivar name: what tells it from the other cases of its scenario
    :ivar peers: by name, the function that takes one sample; each call has a process of its own
    :ivar rows: the figures that are shown
    """

    name: str
    peers: Mapping[str, Peer]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Scenario:
    """A subject that is measured.

    :ivar summary: one line for the help
    :ivar time_limit: seconds that one sample may take
    :ivar tries: how often a sample is taken that fails, where a peer has its luck with ports
    """

    summary: str
    cases: tuple[Case, ...]
    time_limit: float = 60.0
    tries: int = 1


def at_most(limit: float, peer: str = OURS) -> Target:
    """Bound the value itself."""
    return Target(limit, peer=peer)


def at_most_times(limit: float, to: str, peer: str = OURS) -> Target:
    """Bound the ratio to another peer."""
    return Target(limit, "ratio", to, peer)


def at_most_over(limit: float, to: str, peer: str = OURS) -> Target:
    """Bound the difference to another peer."""
    return Target(limit, "difference", to, peer)
