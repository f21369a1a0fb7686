"""Sizes and times as people read them."""

from __future__ import annotations

__all__ = ("duration", "size")


def size(count: int) -> str:
    """Return a number of bytes as a person reads it, such as ``"12 MB"``."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def duration(seconds: float) -> str:
    """Return a time as a person reads it, in its one or two largest units, such as ``"3 h 5 min"``."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or parts or unit == "s":
            parts.append(f"{count} {unit}")
    shown = [part for part in parts[:2] if len(parts) == 1 or not part.startswith("0 ")]
    return " ".join(shown)
