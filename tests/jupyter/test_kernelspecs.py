"""The listing for Jupyter's servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jupyter_client.kernelspec import NoSuchKernel

from kernel_mgmt.abc import KernelProviderBase
from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.jupyter._listing import Listing
from kernel_mgmt.jupyter.kernelspecs import KernelSpecManager

from .conftest import Start, outputs_of

Kernels = dict[str, dict[str, Any]]


class Provider(KernelProviderBase):
    """Lists what it was made with, once it may."""

    id = "env"

    def __init__(self, kernels: Kernels, may: threading.Event | None = None) -> None:
        self.kernels = kernels
        self.asked = 0
        self._may = may

    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        self.asked += 1
        if self._may is not None:
            assert self._may.wait(60)
        yield from self.kernels.items()

    async def launch(self, *arguments: Any, **keywords: Any) -> Any:
        raise NotImplementedError


class SlowProvider(Provider):
    """Another, with an id that comes later."""

    id = "slow"


def listing_of(
    provider: Provider, clock: Callable[[], float] = lambda: 0.0, **more: Any
) -> Listing:
    return Listing(make_finder=lambda: KernelFinder([provider]), clock=clock, **more)


def test_the_kernel_types_of_all_providers_are_listed_beside_the_kernelspecs() -> None:
    provider = Provider({"My Project": {"display_name": "Mine", "language": "python"}})
    specs = KernelSpecManager(listing=listing_of(provider, time_limit=60)).get_all_specs()

    spec = specs["env.my-project"]["spec"]
    assert {"python3", "ir"} <= set(specs)
    assert (spec["display_name"], spec["language"], spec["argv"]) == ("Mine", "python", [])
    assert spec["metadata"]["kernel_provisioner"]["config"] == {"kernel_type": "env/My Project"}


def test_an_allow_list_holds_for_them_too() -> None:
    listing = listing_of(Provider({"x": {}, "y": {}}), time_limit=60)
    manager = KernelSpecManager(listing=listing, allowed_kernelspecs={"env.x"})

    assert set(manager.find_kernel_specs()) == {"env.x"}


def test_a_name_that_is_not_there_raises() -> None:
    manager = KernelSpecManager(listing=listing_of(Provider({}), time_limit=60))

    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("env.nonsense")


def test_the_providers_are_not_asked_again_while_the_listing_is_fresh() -> None:
    now = 0.0
    provider = Provider({"x": {}})
    listing = listing_of(provider, lambda: now, fresh_for=10, time_limit=60)

    listing.kernels()
    listing.kernels()
    assert provider.asked == 1

    now = 11.0
    listing.kernels()
    wait_for_listing()
    assert provider.asked == 2


def test_a_slow_provider_is_not_waited_for_and_what_was_known_is_given_out() -> None:
    now, may = 0.0, threading.Event()
    may.set()
    provider = Provider({"x": {}}, may)
    listing = listing_of(provider, lambda: now, fresh_for=10, time_limit=60)
    assert set(listing.kernels()) == {"env.x"}

    may.clear()
    now = 11.0
    provider.kernels = {"y": {}}
    stale = set(listing.kernels())
    may.set()
    wait_for_listing()

    assert stale == {"env.x"}
    assert set(listing.kernels()) == {"env.y"}


def test_the_first_listing_is_waited_for_no_longer_than_told() -> None:
    may = threading.Event()
    listing = listing_of(Provider({"x": {}}, may), time_limit=0)

    first = listing.kernels()
    may.set()
    wait_for_listing()

    assert first == {}
    assert set(listing.kernels()) == {"env.x"}


def test_a_slow_provider_hides_no_other_in_the_first_listing() -> None:
    may = threading.Event()
    finder = KernelFinder([Provider({"x": {}}), SlowProvider({"y": {}}, may)], time_limit=60)
    listing = Listing(make_finder=lambda: finder, clock=lambda: 0.0, time_limit=0)

    until = time.monotonic() + 30
    while not (first := set(listing.kernels())) and time.monotonic() < until:
        time.sleep(0.01)
    may.set()
    wait_for_listing()

    assert first == {"env.x"}
    assert set(listing.kernels()) == {"env.x", "slow.y"}


def test_what_is_listed_can_be_started(start: Start) -> None:
    _, client = start("pyimport.kernel", kernel_spec_manager=KernelSpecManager())

    assert outputs_of(client, "6 * 7")[-1]["content"]["data"]["text/plain"] == "42"


def wait_for_listing() -> None:
    for thread in threading.enumerate():
        if thread.name == "kernel_mgmt listing for Jupyter":
            thread.join(60)
