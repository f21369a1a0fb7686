import pytest
from kernel_mgmt_oblong import OblongKernelProvider

from kernel_mgmt import run_kernel_blocking
from kernel_mgmt.testing import ProviderSuite, check_entry_point


def test_the_entry_point():
    assert isinstance(check_entry_point("oblong"), OblongKernelProvider)


class TestOblongKernelProvider(ProviderSuite):
    @pytest.fixture
    def provider(self):
        return OblongKernelProvider()


@pytest.mark.parametrize(("kernel", "shown"), [("rounded", "0.33"), ("sharp", f"{1 / 3:.17g}")])
def test_a_kernel_shows_numbers_in_its_way(kernel, shown):
    with run_kernel_blocking(f"oblong/{kernel}") as client:
        reply = client.execute("", user_expressions={"third": "1 / 3"})

    assert reply.content["user_expressions"]["third"]["data"]["text/plain"] == shown
