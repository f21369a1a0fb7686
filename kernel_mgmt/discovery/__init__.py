"""Find kernel types through providers, and launch them by name.

::

    finder = KernelFinder.from_entrypoints()
    for name, attributes in finder.find_kernels():
        print(name, attributes["display_name"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel_mgmt.abc import KernelProviderBase

from ._finder import KernelFinder

if TYPE_CHECKING:
    from kernel_mgmt_pyimport import IPykernelProvider
    from kernel_mgmt_spec import KernelSpecProvider

    from ._report import ProviderReport

__all__ = (
    "IPykernelProvider",
    "KernelFinder",
    "KernelProviderBase",
    "KernelSpecProvider",
    "ProviderReport",
)

_ID_OF = {"IPykernelProvider": "pyimport", "KernelSpecProvider": "spec"}


# The core does not import providers: their names come through their entry points (PEP 562).
def __getattr__(name: str) -> object:
    if name == "ProviderReport":
        from ._report import ProviderReport

        return ProviderReport
    from ._entry_points import load_class

    provider_id = _ID_OF.get(name)
    if provider_id is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = load_class(provider_id, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
