"""A pytest plugin that has jupyter_client's own tests test the classes of kernel_mgmt.jupyter.

It is loaded before they are collected, and writes the outcome of each into the file that the
environment variable ``OUTCOMES`` names.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

import pytest

import kernel_mgmt.jupyter

# Where jupyter_client's programs, and itself, take each name from.
SITES = {
    "AsyncIOLoopKernelManager": ("ioloop", "ioloop.manager"),
    "AsyncKernelClient": ("", "asynchronous", "asynchronous.client", "manager"),
    "AsyncKernelManager": ("", "manager"),
    "AsyncMultiKernelManager": ("", "multikernelmanager"),
    "BlockingKernelClient": ("", "blocking", "blocking.client", "manager"),
    "IOLoopKernelManager": ("ioloop", "ioloop.manager"),
    "KernelManager": ("", "manager", "multikernelmanager"),
    "MultiKernelManager": ("", "multikernelmanager"),
    "run_kernel": ("", "manager"),
    "start_new_async_kernel": ("manager",),
    "start_new_kernel": ("manager",),
}

outcomes: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    # The settings of pytest-timeout, which is not needed: the whole run has a time limit.
    parser.addini("timeout", "")
    parser.addini("timeout_method", "")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "timeout(seconds): of pytest-timeout")
    # All before any is set: ours derive from those that are there.
    ours = {name: getattr(kernel_mgmt.jupyter, name) for name in SITES}
    for name, sites in SITES.items():
        for site in sites:
            module = import_module(f"jupyter_client.{site}".rstrip("."))
            assert hasattr(module, name)
            setattr(module, name, ours[name])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish() -> None:
    Path(os.environ["OUTCOMES"]).write_text(json.dumps(outcomes), encoding="utf-8")
