"""The names of kernel types: ``provider_id/kernel_name``."""

from __future__ import annotations

_DEFAULT_PROVIDER = "spec"
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")


def split_name(name: str) -> tuple[str, str]:
    """Split the name of a kernel type at its first slash; a bare name is a kernelspec's.

    :return: the id of the provider, in lower case, and the name of the kernel type within it
    """
    provider_id, slash, kernel_name = name.partition("/")
    return (provider_id.lower(), kernel_name) if slash else (_DEFAULT_PROVIDER, name)


def is_provider_id(value: str) -> bool:
    """Tell whether a value can be the id of a provider: ``[a-z0-9._-]+``."""
    return value != "" and _ID_CHARACTERS.issuperset(value)


def is_kernel_name(value: str) -> bool:
    """Tell whether a value can name a kernel type within its provider.

    What cannot be printed on one line cannot be typed either, and would garble a listing.
    """
    return value != "" and value.isprintable()
