"""Records of kernels on gateways, by which other programs find them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from kernel_mgmt import KernelDiedError, KernelFinder, LaunchOptions, ReattachError
from kernel_mgmt.records import KernelRecord, find_left, find_records, is_foreign, is_stale
from kernel_mgmt_gateway import GatewayKernelManager, GatewayKernelProvider, GatewaySettings

from .rest_server import RestServer, rest_server

pytestmark = pytest.mark.anyio

OPTIONS = LaunchOptions(kernel_id="mine", name="analysis", persist=True, env={"A": "hidden"})


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    return tmp_path / "runtime"


@pytest.fixture
def gateway() -> Iterator[RestServer]:
    with rest_server() as gateway:
        yield gateway


def finder_of(gateway: RestServer) -> KernelFinder:
    return KernelFinder(
        [GatewayKernelProvider([GatewaySettings(gateway.url, auth_token="abcdef")])]
    )


async def launched(gateway: RestServer) -> GatewayKernelManager:
    _, manager = await finder_of(gateway).launch("gateway/python3", options=OPTIONS)
    assert isinstance(manager, GatewayKernelManager)
    return manager


def the_record() -> KernelRecord:
    (record,) = find_records().records
    return record


async def test_a_kernel_has_a_record_without_the_token_until_it_has_ended(
    gateway: RestServer, runtime_dir: Path
) -> None:
    with anyio.fail_after(30):
        manager = await launched(gateway)
        record, described = the_record(), manager.describe()
        (file,) = runtime_dir.iterdir()
        text, mode = file.read_text(), file.stat().st_mode
        await manager.kill()

    assert (record.kernel_id, record.name, record.persist) == ("mine", "analysis", True)
    assert record.kernel_type == "gateway/python3"
    assert record.remote == {"url": gateway.url, "id": manager.remote_id}
    assert KernelRecord.from_dict(described) == record
    assert "abcdef" not in text
    assert "hidden" not in json.dumps(described)
    assert mode & 0o77 == 0
    assert list(runtime_dir.iterdir()) == []


async def test_another_program_takes_hold_of_the_kernel(gateway: RestServer) -> None:
    with anyio.fail_after(30):
        first = await launched(gateway)
        second = await finder_of(gateway).reattach(the_record())
        await second.kill()
        alive = await first.is_alive()

    assert second.kernel_id == "mine"
    assert second.connection_info == first.connection_info
    assert alive is False


async def test_the_record_of_a_kernel_that_has_gone_is_removed_when_it_is_looked_for(
    gateway: RestServer, runtime_dir: Path
) -> None:
    with anyio.fail_after(30):
        await launched(gateway)
        gateway.kernels.clear()
        with pytest.raises(KernelDiedError):
            await finder_of(gateway).reattach(the_record())

    assert list(runtime_dir.iterdir()) == []


async def test_a_record_does_not_lead_the_token_to_another_gateway(gateway: RestServer) -> None:
    with anyio.fail_after(30), rest_server() as other:
        manager = await launched(gateway)
        with pytest.raises(ReattachError, match="is not among those that are configured"):
            await finder_of(other).reattach(the_record())
        await manager.kill()

    assert other.seen == []


async def test_only_its_gateway_tells_whether_a_kernel_has_gone(gateway: RestServer) -> None:
    with anyio.fail_after(30):
        manager = await launched(gateway)
        record = the_record()
        told = (is_foreign(record), is_stale(record), find_left())
        await manager.kill()

    assert told == (False, False, [])


async def test_a_kernel_runs_though_its_record_cannot_be_written(
    gateway: RestServer, runtime_dir: Path
) -> None:
    runtime_dir.write_text("a file in place of the directory")
    with anyio.fail_after(30):
        manager = await launched(gateway)
        alive = await manager.is_alive()
        await manager.kill()

    assert alive is True
