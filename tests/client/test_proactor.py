"""An event loop that watches no descriptors for others, as the default one of Windows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio

from kernel_mgmt.exceptions import KernelDiedError
from kernel_mgmt.testing import fake_kernel_argv

from .conftest import launched


def watchless_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that refuses what the proactor loop refuses."""

    def refuse(*_: object) -> None:
        raise NotImplementedError

    loop = asyncio.SelectorEventLoop()
    for name in ("add_reader", "remove_reader"):
        setattr(loop, name, refuse)
    return loop


def test_a_client_talks_to_a_kernel_and_is_told_of_its_end(tmp_path: Path) -> None:
    async def talk() -> list[str]:
        async with launched(fake_kernel_argv(), tmp_path) as client:
            with anyio.fail_after(30):
                await client.wait_for_ready()
                statuses = [(await client.execute("print a")).content["status"] for _ in range(20)]
                try:
                    await client.execute("kill")
                except KernelDiedError:
                    statuses.append("died")
        return statuses

    statuses = anyio.run(talk, backend_options={"loop_factory": watchless_loop})

    assert statuses == [*["ok"] * 20, "died"]
