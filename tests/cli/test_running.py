"""A name, an id and the beginning of an id all mean a kernel."""

from __future__ import annotations

import os

import pytest

from kernel_mgmt.cli._running import find_running, short_ids
from kernel_mgmt.cli._status import CommandError, Status
from kernel_mgmt.records import KernelRecord, ProcessIdentity

SELF = ProcessIdentity.of(os.getpid())


def record(kernel_id: str, name: str | None = None) -> KernelRecord:
    return KernelRecord(kernel_id, SELF, f"/{kernel_id}.json", "spec/fake", name)


KNOWN = [record("aabb0001", "one"), record("aabb0002", "cc"), record("cc000003"), record("aa")]


@pytest.mark.parametrize(
    ("name", "kernel_id"),
    [
        ("one", "aabb0001"),
        ("aabb0002", "aabb0002"),
        ("cc", "aabb0002"),
        ("aa", "aa"),
        ("cc0", "cc000003"),
    ],
)
def test_a_name_goes_before_an_id_and_an_id_before_the_beginning_of_one(
    name: str, kernel_id: str
) -> None:
    assert find_running(name, KNOWN).kernel_id == kernel_id


def test_those_that_may_be_meant_are_listed() -> None:
    with pytest.raises(CommandError) as raised:
        find_running("aabb", KNOWN)

    assert str(raised.value).splitlines() == [
        "Several kernels are meant by 'aabb':",
        "  aabb0001  one  spec/fake",
        "  aabb0002  cc  spec/fake",
    ]
    assert raised.value.status is Status.USAGE


@pytest.mark.parametrize(
    ("name", "close"), [("onee", "'one'"), ("aabb0003", "'aabb000"), ("", "(")]
)
def test_one_that_is_like_the_name_is_named(name: str, close: str) -> None:
    with pytest.raises(CommandError, match=r"^No kernel '.*' runs") as raised:
        find_running(name, KNOWN)

    assert close in str(raised.value)
    assert raised.value.status is Status.NO_SUCH_KERNEL


def test_a_short_id_is_as_long_as_it_must() -> None:
    kernels = [record("0123456789-a"), record("0123456789-b"), record("f")]

    assert list(short_ids(kernels).values()) == ["0123456789-a", "0123456789-b", "f"]
    assert list(short_ids(kernels[1:]).values()) == ["01234567", "f"]
