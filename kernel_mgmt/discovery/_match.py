"""Choose the one kernel type that is meant."""

from __future__ import annotations

from collections.abc import Iterable

from kernel_mgmt.exceptions import NoSuchKernelError
from kernel_mgmt.types import KernelAttributes


def match_kernel(
    kernels: Iterable[tuple[str, KernelAttributes]],
    *,
    name: str | None,
    display_name: str | None,
    language: str | None,
) -> str:
    """Return the name of the one kernel type of a display name, or else of a language.

    Both compare without case. Where several have the display name, the language decides among
    them.

    :param name: what was looked for before, in vain
    :raises NoSuchKernelError: if there is none, or more than one; it knows the candidates
    """
    candidates = list(kernels)
    reason = "none fits"
    for value, told in ((display_name, _display_name), (language, _language)):
        if value is None:
            continue
        fitting = [pair for pair in candidates if told(pair[1]).lower() == value.lower()]
        if len(fitting) == 1:
            return fitting[0][0]
        if fitting:
            candidates = fitting
            reason = "several fit; name one of them"
    wanted = next(filter(None, (name, display_name, language)), "")
    raise NoSuchKernelError(wanted, (name for name, _ in candidates), reason=reason)


def _display_name(attributes: KernelAttributes) -> str:
    return attributes.get("display_name", "")


def _language(attributes: KernelAttributes) -> str:
    return attributes.get("language", "")
