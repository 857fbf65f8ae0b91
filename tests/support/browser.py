"""Chromium as the tests drive it: Debian's own, without a window, and with an ear for everything that goes wrong."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from dev.checkout import ROOT
from tests.support.history_writer import TOKEN

PROGRAM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MISSING = f"{PROGRAM} is not there; on Debian: apt install chromium (.ci/chromium does it for CI)"
PICTURES = ROOT / "var" / "pictures"
"""Where the tests leave what they saw; not part of the repository."""
SECONDS = 15_000
"""ms that anything may take to appear."""
_LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
window.executed = 0;
window.alert = window.confirm = window.prompt = () => window.executed++;
"""


@contextmanager
def chromium() -> Generator[Browser]:
    """Ends with the block, and with it the event loop that Playwright keeps in this thread."""
    if not PROGRAM.exists():
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass(slots=True)
class Reader:
    """Somebody in front of a browser of their own."""

    context: BrowserContext
    url: str
    page: Page
    faults: list[str] = field(default_factory=list[str])

    def sign_in(self, token: str = TOKEN) -> Page:
        self.page.goto(f"{self.url}/#token={token}")
        self.page.locator(".shell").wait_for()
        return self.page

    def violations(self) -> list[str]:
        return self.page.evaluate("window.violations")

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")


@contextmanager
def reading(browser: Browser, url: str, **options: Any) -> Generator[Reader]:  # noqa: ANN401 - Playwright's own options
    """A browser window without a past; in the end, nothing may have gone wrong in it."""
    chosen: dict[str, Any] = {
        "viewport": {"width": 1280, "height": 800},
        "locale": "en-GB",
        "timezone_id": "Asia/Kolkata",
    }
    context = browser.new_context(**(chosen | options))
    context.set_default_timeout(SECONDS)
    context.add_init_script(_LISTEN)
    page = context.new_page()
    reader = Reader(context, url, page)
    page.on("pageerror", lambda error: reader.faults.append(str(error)))
    try:
        yield reader
        assert reader.faults == []
        assert reader.violations() == []
        assert page.evaluate("window.executed") == 0
    finally:
        context.close()
