"""The provider of the running interpreter's ipykernel, and its managers, keep the contract."""

from __future__ import annotations

import pytest

from kernel_mgmt.testing import ManagerSuite, ProviderSuite, check_entry_point
from kernel_mgmt_pyimport import IPykernelProvider


def test_the_entry_point() -> None:
    assert isinstance(check_entry_point("pyimport"), IPykernelProvider)


class TestIPykernelProvider(ProviderSuite, ManagerSuite):
    code = "print('hello')"
    long_code = "import time; print('begun', flush=True); time.sleep(60)"

    @pytest.fixture
    def provider(self) -> IPykernelProvider:
        return IPykernelProvider()
