"""Providers to find kernels with: made on the spot, or installed as plugins are."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from importlib import invalidate_caches
from pathlib import Path
from textwrap import dedent
from typing import Any, Protocol
from uuid import uuid4

import importlib_metadata
import pytest

from kernel_mgmt.abc import KernelManagerABC, KernelProviderBase
from kernel_mgmt.types import ConnectionInfo, LaunchOptions, LaunchParams

GROUP = "kernel_mgmt.kernel_type_providers"


class MakeProvider(Protocol):
    """Makes a provider of an id, which lists the names, or has methods of its own."""

    def __call__(
        self, provider_id: str, *names: str, **methods: Callable[..., Any]
    ) -> KernelProviderBase: ...


class WritePlugin(Protocol):
    """Writes a module, and returns the entry point of something in it."""

    def __call__(
        self, name: str, source: str, value: str = "Provider", group: str = GROUP
    ) -> importlib_metadata.EntryPoint: ...


class InstallDistribution(Protocol):
    """Writes the metadata of a distribution, and returns its entry points."""

    def __call__(
        self, name: str, entry_points: str, requires: tuple[str, ...] = ()
    ) -> list[importlib_metadata.EntryPoint]: ...


class ListingProvider(KernelProviderBase):
    """Lists the names that it was made with, and launches nothing real."""

    names: tuple[str, ...] = ()

    def find_kernels(self) -> Iterator[tuple[str, Any]]:
        for name in self.names:
            yield name, {"display_name": name.title()}

    async def launch(
        self,
        name: str,
        cwd: object = None,
        launch_params: LaunchParams | None = None,
        *,
        options: LaunchOptions | None = None,
    ) -> tuple[ConnectionInfo, KernelManagerABC | None]:
        return {"transport": "tcp", "kernel_name": name}, None


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the user has set out of the tests."""
    for setting in ("ALLOW", "DENY", "DEFAULT_KERNEL"):
        monkeypatch.delenv(f"KERNEL_MGMT_{setting}", raising=False)
    monkeypatch.setenv("JUPYTER_NO_CONFIG", "1")


@pytest.fixture
def make_provider() -> MakeProvider:
    def make(provider_id: str, *names: str, **methods: Callable[..., Any]) -> KernelProviderBase:
        own = {name: staticmethod(method) for name, method in methods.items()}
        members = {"id": provider_id, "names": names, **own}
        provider: KernelProviderBase = type("Provider", (ListingProvider,), members)()
        return provider

    return make


@pytest.fixture
def forever() -> Iterator[threading.Event]:
    """An event that is set when the test is over: what waits for it hangs."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def write_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WritePlugin]:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    modules: list[str] = []

    def write(
        name: str, source: str, value: str = "Provider", group: str = GROUP
    ) -> importlib_metadata.EntryPoint:
        module = f"plugin_{uuid4().hex}"
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(dedent(source))
        invalidate_caches()
        return importlib_metadata.EntryPoint(name, f"{module}:{value}", group)

    yield write
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def install(tmp_path: Path) -> InstallDistribution:
    def install_distribution(
        name: str, entry_points: str, requires: tuple[str, ...] = ()
    ) -> list[importlib_metadata.EntryPoint]:
        directory = tmp_path / f"{name.replace('-', '_')}-1.0.dist-info"
        directory.mkdir()
        lines = [f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {item}" for item in requires)]
        (directory / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]))
        (directory / "entry_points.txt").write_text(dedent(entry_points))
        return list(importlib_metadata.PathDistribution(directory).entry_points)

    return install_distribution
