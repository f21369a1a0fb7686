"""Files of kernel types that are on another machine."""

from __future__ import annotations

import pytest

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import UnknownProviderError
from tests.fake_provider import FakeProvider

pytestmark = pytest.mark.anyio


class Remote(FakeProvider):
    """Has files."""

    async def get_resource(self, name: str, path: str) -> bytes | None:
        return f"{path} of {name}".encode()


async def test_a_file_is_fetched_by_the_provider() -> None:
    finder = KernelFinder([Remote()])

    assert await finder.get_resource_async("fake/tcp", "logo.svg") == b"logo.svg of tcp"


async def test_a_provider_that_fetches_no_files_has_none() -> None:
    finder = KernelFinder([FakeProvider()])

    assert await finder.get_resource_async("fake/tcp", "logo.svg") is None


async def test_nobody_is_asked_for_a_file_of_an_unknown_provider() -> None:
    finder = KernelFinder([FakeProvider()])

    with pytest.raises(UnknownProviderError):
        await finder.get_resource_async("nonsense/tcp", "logo.svg")
