"""Allow and deny kernel types by patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class KernelFilter:
    """Which kernel types may be listed and launched.

    A pattern is one of the shell (:mod:`fnmatch`), for ``provider/name``, compared without case.

    :ivar allow: only what fits one of these; everything if ``None``
    :ivar deny: nothing that fits one of these
    """

    allow: Sequence[str] | None = None
    deny: Sequence[str] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is excluded."""
        return self.allow is None and not self.deny

    def objection(self, name: str) -> str | None:
        """Tell why a kernel type is excluded; ``None`` if it is not."""
        if self.is_empty:
            return None
        from fnmatch import fnmatchcase

        name = name.lower()
        for pattern in self.deny:
            if fnmatchcase(name, pattern.lower()):
                return f"it is denied by the pattern {pattern!r}"
        if self.allow is None or any(fnmatchcase(name, item.lower()) for item in self.allow):
            return None
        return f"it fits none of the allowed patterns: {', '.join(map(repr, self.allow))}"

    def excludes_all_of(self, provider_id: str) -> bool:
        """Tell whether a provider need not be asked, since it has nothing that is not excluded."""
        if any(_covers(pattern.lower(), provider_id) for pattern in self.deny):
            return True
        allow = self.allow
        return allow is not None and all(_misses(item.lower(), provider_id) for item in allow)


def _covers(pattern: str, provider_id: str) -> bool:
    return pattern in {"*", "*/*", f"{provider_id}/*", f"{provider_id}*"}


def _misses(pattern: str, provider_id: str) -> bool:
    """Tell whether a pattern names, without wildcards, another provider."""
    named, slash, _ = pattern.partition("/")
    return bool(slash) and named != provider_id and not set("*?[") & set(named)
