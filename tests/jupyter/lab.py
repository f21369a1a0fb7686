"""JupyterLab as a person sees it in a browser: the launcher, and notebooks."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from .server import Server

# How long something may take to be seen (milliseconds).
PATIENCE = 60_000
# A panel that is behind another stays in the page.
_SHOWN = ":not(.lm-mod-hidden)"


class Notebook:
    """The notebook that is in front."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._panel = page.locator(f".jp-NotebookPanel{_SHOWN}")
        self._cells = self._panel.locator(".jp-CodeCell")
        self._wait_for_kernel()

    def run(self, code: str) -> Locator:
        """Run code in the last cell, and return where its outputs are seen."""
        cell = self._cells.last
        count = self._cells.count()
        editor = cell.locator(".cm-content")
        editor.click()
        expect(editor).to_be_focused()
        self.page.keyboard.insert_text(code)
        expect(editor).to_contain_text(code.splitlines()[0])
        self.page.keyboard.press("Shift+Enter")
        # The next cell is the last one from now on.
        self._cells.nth(count).wait_for()
        return self._cells.nth(count - 1).locator(".jp-OutputArea-output")

    def press(self, button: str) -> None:
        """Press a button of the toolbar."""
        self._panel.locator(f'[data-jp-item-name="{button}"]').click()

    def restart(self) -> None:
        """Restart the kernel by the toolbar, and confirm it."""
        self.press("restart")
        with self.page.expect_response(re.compile(r"/restart\b")):
            self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self._wait_for_kernel()

    def _wait_for_kernel(self) -> None:
        # What a notebook runs before that is dropped.
        self.page.locator("#jp-bottom-panel").get_by_text(re.compile(r"\| Idle$")).wait_for()


class Lab:
    """One page of JupyterLab.

    :ivar strangers: the addresses outside this machine that it has asked
    :ivar errors: what its scripts have raised
    """

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.strangers: list[str] = []
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self._look_at(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{server.url}/lab?token={server.token}&reset")
        self.cards = page.locator('.jp-LauncherCard[data-category="Notebook"]')
        self.cards.first.wait_for()
        # It covers the page for a moment.
        page.locator("#jupyterlab-splash").wait_for(state="detached")

    def open_notebook(self, kernel: str) -> Notebook:
        """Click at a kernel in the launcher."""
        self.cards.filter(has_text=kernel).click()
        return Notebook(self.page)

    def _look_at(self, url: str) -> None:
        if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", url):
            self.strangers.append(url)
