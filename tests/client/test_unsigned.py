"""Kernels that have no key, and sign nothing."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from kernel_mgmt import BlockingKernelClient, KernelClient
from kernel_mgmt.connection_files import read_connection_file

from .conftest import StartFake, keyless_launcher

pytestmark = pytest.mark.anyio


@pytest.fixture
async def unsigned_file(start_fake: StartFake, tmp_path: Path) -> Path:
    """The connection file of a fake kernel that has no key."""
    await start_fake(make_launcher=keyless_launcher)
    return next(tmp_path.glob("kernel-*.json"))


async def test_a_kernel_without_a_key_is_refused_unless_that_is_allowed(
    unsigned_file: Path,
) -> None:
    with pytest.raises(ValueError, match=r"no key.*allow_unsigned=True"):
        KernelClient.from_connection_file(unsigned_file)
    async with KernelClient.from_connection_file(unsigned_file, allow_unsigned=True) as client:
        await client.wait_for_ready(30)
        with anyio.fail_after(30):
            outputs = await client.execute("print a").outputs()

    assert outputs[0]["text"] == "a\n"


async def test_the_blocking_client_talks_to_it_too(unsigned_file: Path) -> None:
    info = read_connection_file(unsigned_file)
    with pytest.raises(ValueError, match="no key"):
        BlockingKernelClient(info)
    with BlockingKernelClient(info, allow_unsigned=True) as client:
        client.wait_for_ready(30)
        reply = client.execute("result 1", timeout=30)

    assert reply.content["status"] == "ok"


async def test_a_client_goes_over_to_a_kernel_without_a_key_only_where_that_is_allowed(
    start_fake: StartFake, unsigned_file: Path
) -> None:
    owner = await start_fake()
    successor = read_connection_file(unsigned_file)

    with pytest.raises(ValueError, match="no key"):
        owner.reconnect(successor)
    async with KernelClient(owner.connection_info, allow_unsigned=True) as client:
        await client.wait_for_ready(30)
        client.reconnect(successor)
        await client.wait_for_ready(30)

    with anyio.fail_after(30):
        assert (await owner.execute("result 1")).content["status"] == "ok"


async def test_where_there_is_a_key_unsigned_messages_are_dropped_all_the_same(
    unsigned_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    info = {**read_connection_file(unsigned_file), "key": "secret"}

    async with KernelClient(info, allow_unsigned=True) as client:  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            await client.wait_for_ready(0.5)

    assert "wrong signature" in caplog.text
