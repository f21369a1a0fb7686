"""Running kernels are taken hold of through the provider that launched them."""

from __future__ import annotations

from typing import Any

import pytest

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import (
    KernelDiedError,
    NoSuchKernelError,
    ReattachError,
    UnknownProviderError,
)
from kernel_mgmt.records import KernelRecord, ProcessIdentity

from .conftest import MakeProvider

pytestmark = pytest.mark.anyio


def record_of(kernel_type: str | None) -> KernelRecord:
    return KernelRecord("a", ProcessIdentity(1, 1), "/a.json", kernel_type=kernel_type)


async def test_the_provider_of_the_kernel_type_is_given_the_record(
    make_provider: MakeProvider,
) -> None:
    given: list[KernelRecord] = []

    async def reattach(record: KernelRecord) -> Any:
        given.append(record)
        return "a manager"

    finder = KernelFinder([make_provider("oblong", reattach=reattach), make_provider("spec")])
    record = record_of("oblong/rounded")
    manager: object = await finder.reattach(record)

    assert manager == "a manager"
    assert given == [record]


@pytest.mark.parametrize(
    ("kernel_type", "error", "message"),
    [
        (None, ReattachError, "does not name its kernel type"),
        ("spec/python3", ReattachError, "provider 'spec' cannot take hold of kernels"),
        ("nowhere/python3", UnknownProviderError, "no kernel provider 'nowhere'"),
        ("denied/python3", NoSuchKernelError, "denied"),
    ],
)
async def test_a_record_that_no_provider_takes_is_an_error(
    make_provider: MakeProvider, kernel_type: str | None, error: type[Exception], message: str
) -> None:
    finder = KernelFinder([make_provider("spec"), make_provider("denied")], deny=["denied/*"])

    with pytest.raises(error, match=message):
        await finder.reattach(record_of(kernel_type))


@pytest.mark.parametrize(
    ("raised", "error", "message"),
    [
        (KernelDiedError(), KernelDiedError, "has died"),
        (ValueError("bad luck"), ReattachError, "provider 'oblong' raised ValueError: bad luck"),
        (SystemExit(1), ReattachError, "provider 'oblong' raised SystemExit"),
    ],
    ids=["died", "fault", "exit"],
)
async def test_what_a_provider_raises_becomes_an_error_of_ours(
    make_provider: MakeProvider,
    raised: BaseException,
    error: type[Exception],
    message: str,
) -> None:
    async def reattach(record: KernelRecord) -> Any:
        raise raised

    finder = KernelFinder([make_provider("oblong", reattach=reattach)])

    with pytest.raises(error, match=message):
        await finder.reattach(record_of("oblong/rounded"))
