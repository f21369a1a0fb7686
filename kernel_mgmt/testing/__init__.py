"""What the tests of providers, launchers and clients may use, ours and other people's alike.

::

    from kernel_mgmt.testing import ProviderSuite, check_entry_point


    def test_the_entry_point():
        check_entry_point("oblong")


    class TestOblongProvider(ProviderSuite):
        @pytest.fixture
        def provider(self):
            return OblongKernelProvider()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._entry_point import check_entry_point
    from ._suites import LauncherSuite, ManagerSuite, ProviderSuite
    from .fake_kernel import fake_kernel_argv

__all__ = (
    "LauncherSuite",
    "ManagerSuite",
    "ProviderSuite",
    "check_entry_point",
    "fake_kernel_argv",
)

_SUITES = "_suites"
_MODULE_OF = {
    "LauncherSuite": _SUITES,
    "ManagerSuite": _SUITES,
    "ProviderSuite": _SUITES,
    "check_entry_point": "_entry_point",
    "fake_kernel_argv": "fake_kernel",
}


# The fake kernel is a process of this package: its start must not load what only tests need.
def __getattr__(name: str) -> object:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    if module == _SUITES:
        _rewrite_assertions()
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _rewrite_assertions() -> None:
    """Have pytest tell the values in the assertions of the suites, as in a test module."""
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise ImportError("The suites need pytest: pip install kernel-mgmt[testing]") from error
    pytest.register_assert_rewrite(f"{__name__}.{_SUITES}")
