"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ("Finding", "Result", "note", "ok", "problem")


class Result(StrEnum):
    """How grave it is."""

    OK = "ok"
    # Not as it should be; kernel_mgmt copes with it, or it only matters to some.
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    :ivar seen: what was seen
    :ivar advice: what to do about it, or what kernel_mgmt does; empty if there is nothing to do
    """

    result: Result
    seen: str
    advice: str = ""


def ok(seen: str) -> Finding:
    """Nothing is wrong."""
    return Finding(Result.OK, seen)


def note(seen: str, advice: str = "") -> Finding:
    """Something is odd, and kernel_mgmt copes with it."""
    return Finding(Result.NOTE, seen, advice)


def problem(seen: str, advice: str = "") -> Finding:
    """Something is wrong, and somebody has to do something about it."""
    return Finding(Result.PROBLEM, seen, advice)
