"""Print what was found, as lines or as JSON."""

from __future__ import annotations

from collections.abc import Mapping

from kernel_mgmt.cli._terminal import print_json, print_table

from ._findings import Finding, Result

__all__ = ("Report", "has_problem", "print_reports")

Report = Mapping[str, Mapping[str, Finding]]
"""What was found, by the name of the check, by what it is about."""


def print_reports(reports: Report, output: str) -> None:
    """Print what was found.

    :param output: ``text`` or ``json``
    """
    if output == "json":
        print_json({about: _as_json(found) for about, found in reports.items()})
        return
    rows = [
        (about, name, str(finding.result), _sentence(finding))
        for about, found in reports.items()
        for name, finding in found.items()
    ]
    print_table(("ABOUT", "CHECK", "RESULT", "SEEN"), rows)


def has_problem(reports: Report) -> bool:
    """Whether anything that was found is a problem."""
    return any(
        finding.result is Result.PROBLEM for found in reports.values() for finding in found.values()
    )


def _as_json(found: Mapping[str, Finding]) -> list[dict[str, str]]:
    return [{"check": name, **vars(finding)} for name, finding in found.items()]


def _sentence(finding: Finding) -> str:
    return f"{finding.seen}; {finding.advice}" if finding.advice else finding.seen
