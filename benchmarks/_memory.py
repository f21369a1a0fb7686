"""The memory of this process."""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
# What sets the peak back to what is in use (proc(5), since Linux 4.0).
_RESET_PEAK = "5"


class PeakMemory:
    """Measures by how much the memory grows at most."""

    def __init__(self) -> None:
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
        self._before = _megabytes("VmRSS")

    def growth(self) -> float:
        """Return by how many megabytes there was more at most."""
        return _megabytes("VmHWM") - self._before


def _megabytes(field: str) -> float:
    lines = _STATUS.read_text(encoding="ascii").splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return int(kilobytes) / 1024
