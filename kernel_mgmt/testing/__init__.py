"""What the tests of providers, launchers and clients may use, ours and other people's alike."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .fake_kernel import fake_kernel_argv

__all__ = ("fake_kernel_argv",)

_MODULE_OF = {"fake_kernel_argv": "fake_kernel"}


# The fake kernel is a process of this package: its start must not load what only tests need.
def __getattr__(name: str) -> object:
    try:
        module = _MODULE_OF[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value = globals()[name] = getattr(import_module(f".{module}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
