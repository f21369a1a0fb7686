"""Tell which extra of a distribution brings what one of its providers misses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._entry_points import EntryPoint

_REQUIREMENT = re.compile(r"""\s*([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*["']([^"']+)["']""")


def installation_of(entry_point: EntryPoint, error: BaseException) -> str | None:
    """Return the command that installs what the import of an entry point misses.

    The extra is the one that has the name of the provider, or else one that requires the module
    that is missing.

    :return: ``None`` if no extra of the distribution is known to bring it
    """
    distribution = getattr(entry_point, "dist", None)
    if distribution is None or not isinstance(error, ImportError):
        return None
    try:
        name: str = distribution.name
        requirements: list[str] = distribution.requires or []
    except Exception:  # noqa: BLE001 - metadata that cannot be read tells nothing
        return None
    extra = _extra(requirements, entry_point.name, (error.name or "").partition(".")[0])
    return f"pip install {name}[{extra}]" if extra else None


def _extra(requirements: list[str], provider_id: str, module: str) -> str | None:
    matches = [match for text in requirements if (match := _REQUIREMENT.match(text))]
    pairs = [(_normalised(match[1]), match[2]) for match in matches]
    if any(extra == provider_id for _, extra in pairs):
        return provider_id
    return next((extra for project, extra in pairs if project == _normalised(module)), None)


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
