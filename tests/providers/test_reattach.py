"""The providers of local kernels take hold of what they launched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.records import KernelRecord
from kernel_mgmt.testing import fake_kernel_argv
from kernel_mgmt_pyimport import IPykernelProvider
from kernel_mgmt_spec import KernelSpecProvider

pytestmark = pytest.mark.anyio


@pytest.fixture
def finder(tmp_path: Path) -> KernelFinder:
    """Finds the fake kernel as a kernelspec, and the kernel of this interpreter."""
    spec = {"argv": fake_kernel_argv(), "display_name": "Fake", "language": "fake"}
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "kernel.json").write_text(json.dumps(spec))
    return KernelFinder([KernelSpecProvider([tmp_path]), IPykernelProvider()])


@pytest.mark.parametrize("name", ["spec/fake", "pyimport/kernel"])
async def test_a_kernel_is_taken_hold_of_by_the_name_in_its_record(
    finder: KernelFinder, name: str
) -> None:
    _, first = await finder.launch(name.upper())
    assert first is not None
    record = KernelRecord.from_dict(first.describe())
    second = await finder.reattach(record)
    await second.kill()
    await first.wait()
    await first.cleanup()
    await second.cleanup()

    assert record.kernel_type == name
    assert second.kernel_id == first.kernel_id
    assert not await first.is_alive()
