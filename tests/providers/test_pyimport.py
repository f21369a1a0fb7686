"""The kernel of the running interpreter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kernel_mgmt.discovery import KernelFinder
from kernel_mgmt.exceptions import NoSuchKernelError
from kernel_mgmt.types import LaunchOptions
from kernel_mgmt_pyimport import IPykernelProvider


@pytest.fixture
def finder() -> KernelFinder:
    return KernelFinder([IPykernelProvider()])


def test_it_offers_exactly_one_kernel_type_of_this_interpreter(finder: KernelFinder) -> None:
    ((name, attributes),) = finder.find_kernels()

    assert name == "pyimport/kernel"
    assert attributes.get("argv", [""])[0] == sys.executable
    assert attributes.get("language_info", {})["version"] == ".".join(
        map(str, sys.version_info[:3])
    )
    assert (Path(attributes.get("resource_dir", "")) / "logo-64x64.png").exists()


def test_it_gets_what_it_lists(finder: KernelFinder) -> None:
    assert dict(finder.find_kernels()) == {"pyimport/kernel": finder.get("pyimport/Kernel")}


def test_another_name_is_no_kernel_type(finder: KernelFinder) -> None:
    with pytest.raises(NoSuchKernelError, match="known kernel types: pyimport/kernel"):
        finder.get("pyimport/python3")


@pytest.mark.anyio
async def test_another_name_is_not_launched(finder: KernelFinder) -> None:
    with pytest.raises(NoSuchKernelError, match="known kernel types: pyimport/kernel"):
        await finder.launch("pyimport/python3")


def test_ipykernel_is_not_imported() -> None:
    script = """
import sys
from kernel_mgmt_pyimport import IPykernelProvider
assert [name for name, _ in IPykernelProvider().find_kernels()] == ["kernel"]
assert not {"ipykernel", "IPython", "zmq", "anyio"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


@pytest.mark.parametrize("module", ["ipykernel", "ipykernel_launcher"])
def test_without_ipykernel_nothing_is_offered(
    finder: KernelFinder, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None in sys.modules is how the import system is told that a module is not there.
    monkeypatch.setitem(sys.modules, module, None)

    assert list(finder.find_kernels()) == []
    assert finder.problems == ()


@pytest.mark.anyio
async def test_without_ipykernel_the_error_tells_how_to_install_it(
    finder: KernelFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", None)

    with pytest.raises(NoSuchKernelError, match="-m pip install ipykernel"):
        finder.get("pyimport/kernel")
    with pytest.raises(NoSuchKernelError, match="-m pip install ipykernel"):
        await finder.get_async("pyimport/kernel")
    with pytest.raises(NoSuchKernelError, match="-m pip install ipykernel"):
        await finder.launch("pyimport/kernel")


@pytest.mark.anyio
async def test_over_tcp_the_kernel_encrypts(finder: KernelFinder, tmp_path: Path) -> None:
    options = LaunchOptions(transport="tcp")

    connection_info, manager = await finder.launch("pyimport/kernel", tmp_path, options=options)
    assert manager is not None
    await manager.kill()
    await manager.cleanup()

    assert finder.get("pyimport/kernel").get("metadata", {})["supported_encryption"] == ["curve"]
    assert "curve_secretkey" in connection_info


@pytest.mark.anyio
async def test_a_launch_follows_the_configuration(tmp_path: Path) -> None:
    config = {"providers": {"pyimport": {"transport": "tcp", "encryption": "disabled"}}}
    finder = KernelFinder([IPykernelProvider()], config=config)

    connection_info, manager = await finder.launch("pyimport/kernel", tmp_path)
    assert manager is not None
    await manager.kill()
    await manager.cleanup()

    assert connection_info["transport"] == "tcp"
    assert "curve_secretkey" not in connection_info


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "transport"),
    [
        pytest.param(
            None,
            "ipc",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no ipc"),
        ),
        (LaunchOptions(transport="tcp"), "tcp"),
    ],
)
async def test_a_launch_starts_the_kernel(
    finder: KernelFinder, options: LaunchOptions | None, transport: str, tmp_path: Path
) -> None:
    connection_info, manager = await finder.launch("pyimport/kernel", tmp_path, options=options)
    assert manager is not None
    try:
        assert connection_info["transport"] == transport
        assert await manager.is_alive()
    finally:
        await manager.kill()
        await manager.cleanup()
