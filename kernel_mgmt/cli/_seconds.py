"""Times on the command line."""

from __future__ import annotations

import math
from typing import Any

import click

__all__ = ("Seconds",)


class Seconds(click.FloatRange):
    """A time in seconds, which may be infinite, but not what is no number.

    :param zero: whether it may be none at all
    """

    def __init__(self, *, zero: bool = False) -> None:
        super().__init__(min=0, min_open=not zero)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds: float = super().convert(value, param, ctx)
        # No comparison with it is true, so that it is in every range.
        if math.isnan(seconds):
            self.fail(f"{value!r} is no time in seconds", param, ctx)
        return seconds
