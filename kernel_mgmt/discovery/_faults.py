"""What is said about the faults of providers."""

from __future__ import annotations

_LONGEST = 300


class UnusableError(Exception):
    """Raised while a provider is loaded, with the reason why it cannot be used."""

    def __init__(self, reason: str, fix: str | None = None) -> None:
        self.reason = reason
        self.fix = fix
        super().__init__(reason)


def describe(error: BaseException) -> str:
    """Name the type of an exception, and what it says, on one line."""
    try:
        said = _shortened(" ".join(str(error).split()))
    except BaseException:  # noqa: BLE001 - an exception of a stranger may fail to say anything
        said = ""
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def show(value: object) -> str:
    """Return the repr of a value of a stranger, or its type if it has none."""
    try:
        return _shortened(repr(value))
    except BaseException:  # noqa: BLE001 - a value of a stranger may fail to show itself
        return f"a {type(value).__name__}"


def on_one_line(text: str) -> str:
    """Write what would break a line, or steer the terminal, by its escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
