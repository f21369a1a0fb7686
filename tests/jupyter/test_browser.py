"""Our kernels in JupyterLab, in a browser."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect, sync_playwright

from tests.cli.installed import install_provider

from .lab import PATIENCE, Lab
from .place import Place
from .server import Server, run_server

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

OURS, THEIRS, BROKEN = "this interpreter", "Python 3 (ipykernel)", "Oblong"
# As root there is no sandbox; and nothing but this machine has an address.
FLAGS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
QUIET = (
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)
PROVIDER = """
    def find_kernels(self):
        yield "rounded", {"display_name": "Oblong", "language": "python"}

    async def launch(self, name, cwd=None, launch_params=None, *, options=None):
        from kernel_mgmt import KernelLaunchError

        raise KernelLaunchError("The licence of Oblong has expired")
"""
PLOT = r"""import math, struct, zlib
from IPython.display import Image
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

curve = [60 - 50 * math.sin(x / 20) for x in range(240)]
rows = b"".join(b"\0" + bytes(255 * (abs(at - y) > 2) for at in curve) for y in range(120))
header = struct.pack(">2I5B", 240, 120, 8, 0, 0, 0, 0)
Image(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))"""
SIZES = "images => images.map(image => [image.naturalWidth, image.naturalHeight])"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("lab"))
    yield place

    assert place.left_behind() == []


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Server]:
    """JupyterLab, with one exported kernel, which cannot be started."""
    path = install_provider(place.root / "provider", PROVIDER)
    settings = place.root / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    # It would ask whether it may fetch news.
    setting = settings / "notification.jupyterlab-settings"
    setting.write_text('{"fetchNews": "false"}', encoding="utf-8")
    place.run("kernel-mgmt", "export", "oblong/rounded", **path)
    with run_server(place, *QUIET, module="jupyterlab", **path) as server:
        yield server


@pytest.fixture(scope="module")
def browser(place: Place) -> Iterator[BrowserContext]:
    """A browser whose pages share what they have fetched."""
    with pytest.MonkeyPatch.context() as patch:
        # By which its processes are known.
        patch.setenv("JUPYTER_RUNTIME_DIR", str(place.runtime_dir))
        # Where it leaves the settings of a desktop.
        patch.setenv("XDG_RUNTIME_DIR", str(place.root))
        with (
            sync_playwright() as playwright,
            playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS) as browser,
            browser.new_context(viewport={"width": 1000, "height": 640}) as context,
        ):
            yield context


@pytest.fixture
def lab(server: Server, browser: BrowserContext) -> Iterator[Lab]:
    expect.set_options(timeout=PATIENCE)
    with browser.new_page() as page:
        lab = Lab(page, server)
        yield lab

    assert lab.errors == []
    assert lab.strangers == []


@pytest.fixture
def keep(lab: Lab, tmp_path: Path) -> Callable[[str], Any]:
    """Keeps what is seen as a picture, where KERNEL_MGMT_ARTEFACTS says."""
    directory = Path(os.environ.get("KERNEL_MGMT_ARTEFACTS") or tmp_path)
    return lambda name: lab.page.screenshot(path=directory / f"{name}.png")


def test_the_launcher_shows_the_kernels_of_all_providers(
    lab: Lab, keep: Callable[[str], Any]
) -> None:
    for kernel in (OURS, THEIRS, BROKEN):
        expect(lab.cards.filter(has_text=kernel)).to_be_visible()
    logos = lab.cards.filter(has_text=re.compile(f"{OURS}|{re.escape(THEIRS)}")).locator("img")
    expect(logos).to_have_count(2)
    keep("launcher")

    assert all(width > 0 for width, _ in logos.evaluate_all(SIZES))


def test_a_notebook_shows_results_plots_and_errors(lab: Lab, keep: Callable[[str], Any]) -> None:
    notebook = lab.open_notebook(OURS)

    expect(notebook.run("6 * 7")).to_have_text("42")
    plot = notebook.run(PLOT).locator("img")
    expect(plot).to_be_visible()
    expect(notebook.run("1 / 0")).to_contain_text("ZeroDivisionError: division by zero")
    keep("notebook")

    assert plot.evaluate_all(SIZES) == [[240, 120]]


def test_a_kernel_is_interrupted_and_restarted_by_the_toolbar(
    lab: Lab, keep: Callable[[str], Any]
) -> None:
    notebook = lab.open_notebook(OURS)

    expect(notebook.run("before = 1; before")).to_have_text("1")
    loop = notebook.run("import time\nprint('busy')\nwhile True: time.sleep(0.1)")
    expect(loop.first).to_have_text("busy")
    notebook.press("interrupt")
    expect(loop.last).to_contain_text("KeyboardInterrupt")
    keep("interrupted")

    notebook.restart()
    expect(notebook.run("before")).to_contain_text("NameError: name 'before' is not defined")
    keep("restarted")


def test_a_kernel_that_cannot_be_started_tells_why_in_the_notebook(
    lab: Lab, keep: Callable[[str], Any]
) -> None:
    notebook = lab.open_notebook(BROKEN)

    expect(notebook.run("6 * 7")).to_contain_text("The licence of Oblong has expired")
    keep("broken")
