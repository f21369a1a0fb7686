"""Launch parameters are checked before anything is launched."""

from __future__ import annotations

import threading
from collections import UserDict
from typing import Any

import anyio
import anyio.to_thread
import pytest

from kernel_mgmt import KernelFinder, LaunchParameterError

from .conftest import MakeProvider

pytestmark = pytest.mark.anyio

SCHEMA = {
    "type": "object",
    "properties": {
        "cores": {"type": "integer", "minimum": 1, "maximum": 8, "default": 2},
        "size": {"enum": ["small", "large"]},
        "note": {"type": "string", "default": ""},
    },
    "required": ["size"],
}


class Launches:
    """A provider's methods, and the launch parameters that they were given."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def finder(self, make_provider: MakeProvider, **settings: Any) -> KernelFinder:
        async def launch(
            name: str, cwd: object = None, launch_params: object = None
        ) -> tuple[dict[str, object], None]:
            self.seen.append(launch_params)
            return {"transport": "tcp"}, None

        def find_kernels() -> Any:
            yield "plain", {}
            yield "sized", {"launch_parameters": SCHEMA}

        provider = make_provider("test", find_kernels=find_kernels, launch=launch)
        return KernelFinder([provider], **settings)


async def test_defaults_are_applied(make_provider: MakeProvider) -> None:
    launches = Launches()
    finder = launches.finder(make_provider)

    with anyio.fail_after(10):
        await finder.launch("test/sized", launch_params={"size": "small"})

    assert launches.seen == [{"size": "small", "cores": 2, "note": ""}]


async def test_every_violation_is_told_and_nothing_is_launched(make_provider: MakeProvider) -> None:
    launches = Launches()
    finder = launches.finder(make_provider)

    with anyio.fail_after(10), pytest.raises(LaunchParameterError) as caught:
        await finder.launch("test/sized", launch_params={"cores": 9})

    assert launches.seen == []
    assert len(caught.value.violations) == 2
    assert "cores" in str(caught.value)
    assert "size" in str(caught.value)


async def test_a_kernel_type_without_a_schema_takes_any(make_provider: MakeProvider) -> None:
    launches = Launches()
    finder = launches.finder(make_provider)

    with anyio.fail_after(10):
        await finder.launch("test/plain", launch_params={"anything": object})
        await finder.launch("test/plain")

    assert launches.seen == [{"anything": object}, None]


async def test_text_that_may_be_anything_is_refused_unless_allowed(
    make_provider: MakeProvider,
) -> None:
    launches = Launches()
    parameters = {"size": "small", "note": "; rm -rf /"}

    with anyio.fail_after(10):
        with pytest.raises(LaunchParameterError, match="note"):
            await launches.finder(make_provider).launch("test/sized", launch_params=parameters)
        for settings in (
            {"allow_insecure_parameters": True},
            {"config": {"allow_insecure_parameters": True}},
        ):
            finder = launches.finder(make_provider, **settings)
            await finder.launch("test/sized", launch_params=parameters)

    assert len(launches.seen) == 2


def test_a_switch_that_is_none_is_a_problem(make_provider: MakeProvider) -> None:
    finder = Launches().finder(make_provider, config={"allow_insecure_parameters": "maybe"})

    assert any("should be true or false" in problem.reason for problem in finder.problems)


async def test_a_launch_may_be_cancelled_while_its_parameters_are_checked(
    make_provider: MakeProvider, forever: threading.Event
) -> None:
    begun, ended = threading.Event(), threading.Event()

    class Long(UserDict[str, Any]):
        def items(self) -> Any:
            begun.set()
            forever.wait(10)
            ended.set()
            return super().items()

    found = [("x", {"launch_parameters": {"properties": {"y": Long(type="integer")}}})]
    finder = KernelFinder([make_provider("test", find_kernels=lambda: found)])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(finder.launch, "test/x")
        await anyio.to_thread.run_sync(begun.wait)
        tasks.cancel_scope.cancel()

    assert not ended.is_set()
