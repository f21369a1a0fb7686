"""The tests that providers, launchers and managers inherit."""

from __future__ import annotations

from ._launcher import LauncherSuite
from ._manager import ManagerSuite
from ._provider import ProviderSuite

__all__ = ("LauncherSuite", "ManagerSuite", "ProviderSuite")
