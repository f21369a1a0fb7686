"""The key of a kernel is in its connection file, and nobody else is told of it."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import anyio
import pytest

from kernel_mgmt import (
    KernelClient,
    KernelFinder,
    KernelLaunchError,
    run_kernel_async,
)
from kernel_mgmt_subprocess import KernelManager

from .fake_provider import FakeProvider

pytestmark = pytest.mark.anyio


@pytest.fixture
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory that is not there yet."""
    path = tmp_path / "runtime"
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(path))
    return path


@pytest.mark.parametrize("transport", ["tcp", "ipc", "handshake"])
async def test_the_key_is_in_no_log_no_process_and_no_other_file(
    transport: str, runtime_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = FakeProvider()
    with anyio.fail_after(30):
        async with run_kernel_async(f"fake/{transport}", finder=KernelFinder([provider])) as client:
            assert isinstance(client.manager, KernelManager)
            await client.execute("print a")
            # What is wrongly signed is dropped, and logged.
            other = client.connection_info.copy()
            other["key"] = "another"
            async with KernelClient(other) as wrong:
                wrong.kernel_info()
                await client.execute("print b")
            files = {path: path.read_text() for path in runtime_dir.rglob("*") if path.is_file()}
            told = [caplog.text, repr(client), repr(client.manager), *_shown_of(client.manager.pid)]
    (key,) = [each.get("key", "") for each in provider.launched]

    assert len(key) == 64
    assert [path.suffix for path, text in files.items() if key in text] == [".json"]
    assert not [text for text in told if key in text]


async def test_the_key_is_in_no_error(runtime_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    provider = FakeProvider("--exit-at-start", "3", "--stderr", "last words")
    with anyio.fail_after(30), pytest.raises(KernelLaunchError, match="last words") as caught:
        async with run_kernel_async("fake/tcp", finder=KernelFinder([provider])):
            pass
    (key,) = [each.get("key", "") for each in provider.launched]

    assert len(key) == 64
    assert key not in f"{caught.value!r} {caught.value} {caplog.text}"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("transport", ["tcp", "ipc", "handshake"])
async def test_nobody_else_may_see_the_files_though_the_umask_would_let_them(
    transport: str, runtime_dir: Path
) -> None:
    umask = os.umask(0)
    try:
        with anyio.fail_after(30):
            async with run_kernel_async(f"fake/{transport}", finder=KernelFinder([FakeProvider()])):
                modes = {path: path.stat().st_mode for path in runtime_dir.rglob("*")}
                modes[runtime_dir] = runtime_dir.stat().st_mode
    finally:
        os.umask(umask)

    assert len(modes) >= 4
    assert {oct(mode & 0o77) for mode in modes.values() if not stat.S_ISSOCK(mode)} == {"0o0"}


def _shown_of(pid: int) -> list[str]:
    """What anybody may read of a process, where there is ``/proc``, and its environment."""
    process = Path(f"/proc/{pid}")
    return [(process / name).read_text() for name in ("cmdline", "environ") if process.exists()]
