"""Tests for the clients that are those of jupyter_client."""

from __future__ import annotations

import jupyter_client.asynchronous.client
import jupyter_client.blocking.client

from kernel_mgmt.jupyter import AsyncKernelClient, BlockingKernelClient


def test_the_clients_are_those_of_jupyter_client() -> None:
    assert issubclass(BlockingKernelClient, jupyter_client.blocking.client.BlockingKernelClient)
    assert issubclass(AsyncKernelClient, jupyter_client.asynchronous.client.AsyncKernelClient)
