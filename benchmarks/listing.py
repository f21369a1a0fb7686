"""Listing many kernelspecs: the first time, again, and one of them by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from ._environment import write_kernelspec, write_kernelspecs
from ._model import (
    FLOOR,
    JUPYTER_CLIENT,
    OURS,
    Case,
    Metrics,
    Row,
    Scenario,
    at_most,
    at_most_times,
)

REPEATS = 10
GETS = 1000
TICK = 0.1
EDITED = "An edited name"


def measure(
    directory: Path, count: int, list_names: Callable[[], list[str]], get: Callable[[str], str]
) -> Metrics:
    """Time the listing and the getting, and make sure that an edit is seen.

    :param list_names: returns the display names of all
    :param get: returns the display name of one
    """
    write_kernelspecs(directory, count)
    # What was written this moment may change without a new time stamp, and cannot be remembered.
    sleep(TICK)
    first, names = _time(list_names)
    if len(names) != count:
        raise AssertionError(f"{len(names)} of {count} kernelspecs were listed")
    repeated = median(_time(list_names)[0] for _ in range(REPEATS))
    wanted = f"kernel-{count // 2}"
    get(wanted)
    started = perf_counter()
    for _ in range(GETS):
        get(wanted)
    each = (perf_counter() - started) / GETS
    write_kernelspec(directory / wanted, EDITED)
    if get(wanted) != EDITED or EDITED not in list_names():
        raise AssertionError("An edited kernel.json is not seen")
    return {"first_ms": first * 1e3, "repeated_ms": repeated * 1e3, "get_us": each * 1e6}


def _time(list_names: Callable[[], list[str]]) -> tuple[float, list[str]]:
    started = perf_counter()
    names = list_names()
    return perf_counter() - started, names


def floor(count: int) -> Metrics:
    """Read a file that is new or has changed since, and check nothing."""
    import msgspec

    cache: dict[str, tuple[tuple[int, int, int], str]] = {}

    def read(path: str) -> str:
        status = os.stat(path)
        mark = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = cache.get(path)
        if known is None or known[0] != mark:
            with open(path, "rb") as file:
                known = cache[path] = (mark, msgspec.json.decode(file.read())["display_name"])
        return known[1]

    with TemporaryDirectory() as name:
        return measure(
            Path(name),
            count,
            lambda: [read(f"{entry.path}/kernel.json") for entry in os.scandir(name)],
            lambda kernel: read(f"{name}/{kernel}/kernel.json"),
        )


def ours(count: int) -> Metrics:
    """List by ``KernelFinder`` with the provider of kernelspecs alone."""
    from kernel_mgmt.discovery import KernelFinder, KernelSpecProvider

    with TemporaryDirectory() as name:
        finder = KernelFinder([KernelSpecProvider(search_path=[name])])
        return measure(
            Path(name),
            count,
            lambda: [attributes.get("display_name", "") for _, attributes in finder.find_kernels()],
            lambda kernel: finder.get(f"spec/{kernel}").get("display_name", ""),
        )


def jupyter_client(count: int) -> Metrics:
    """List by ``KernelSpecManager``."""
    from jupyter_client.kernelspec import KernelSpecManager

    with TemporaryDirectory() as name:
        manager = KernelSpecManager(kernel_dirs=[name], ensure_native_kernel=False)
        return measure(
            Path(name),
            count,
            lambda: [found["spec"]["display_name"] for found in manager.get_all_specs().values()],
            lambda kernel: str(manager.get_kernel_spec(kernel).display_name),
        )


def _case(count: int) -> Case:
    peers = {
        FLOOR: partial(floor, count),
        OURS: partial(ours, count),
        JUPYTER_CLIENT: partial(jupyter_client, count),
    }
    rows = (
        Row("first_ms", "first listing", "ms", (at_most_times(0.5, JUPYTER_CLIENT),)),
        Row("repeated_ms", "repeated listing", "ms", (at_most_times(0.1, JUPYTER_CLIENT),)),
        Row("get_us", "getting one, again", "µs", (at_most(15), at_most_times(6.4, FLOOR))),
    )
    return Case(f"{count} kernelspecs", peers, rows)


SCENARIO = Scenario(
    summary="listing 10, 300 and 1000 kernelspecs, and getting one",
    cases=tuple(_case(count) for count in (10, 300, 1000)),
)
