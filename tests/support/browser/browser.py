"""Drives Debian's Chromium without a window, and fails the test if a page reports an error."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from dev.checkout import ROOT
from tests.support import requirements
from tests.support.history.history_writer import API_TOKEN

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
SCREENSHOTS_FOLDER = ROOT / "var" / "pictures"
"""The folder for screenshots, which is not part of the repository."""
TIMEOUT_MS = 15_000
"""The maximum time until something appears, in ms."""
_VIOLATION_LISTENER = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
window.executed = 0;
window.alert = window.confirm = window.prompt = () => window.executed++;
"""


@contextmanager
def launched_chromium() -> Generator[Browser]:
    """Run Chromium until the block ends, which also ends the event loop that Playwright keeps in this thread."""
    requirements.require("chromium")
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=requirements.CHROMIUM, args=list(ARGUMENTS))
        yield browser
        browser.close()


class SharedChromium:
    """Chromium for consecutive tests. While it runs, `asyncio.run` fails in this thread."""

    def __init__(self) -> None:
        self._running = ExitStack()
        self._browser: Browser | None = None

    def launch(self) -> Browser:
        """Return the browser, which is launched unless it runs."""
        if self._browser is None:
            self._browser = self._running.enter_context(launched_chromium())
        return self._browser

    def close(self) -> None:
        self._browser = None
        self._running.close()


@dataclass(slots=True)
class BrowserUser:
    """A user with a browser window of their own."""

    context: BrowserContext
    url: str
    page: Page
    page_errors: list[str] = field(default_factory=list[str])

    def sign_in(self, token: str = API_TOKEN) -> Page:
        self.page.goto(f"{self.url}/#token={token}")
        self.page.locator(".shell").wait_for()
        return self.page

    def csp_violations(self) -> list[str]:
        return self.page.evaluate("window.violations")

    def save_screenshot(self, name: str) -> None:
        SCREENSHOTS_FOLDER.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS_FOLDER / f"{name}.png")


@contextmanager
def open_browser_user(browser: Browser, url: str, **options: Any) -> Generator[BrowserUser]:  # noqa: ANN401 - Playwright's own options
    """Open a browser window with an empty profile. Fail at the end if any error occurred in it."""
    chosen: dict[str, Any] = {
        "viewport": {"width": 1280, "height": 800},
        "locale": "en-GB",
        "timezone_id": "Asia/Kolkata",
        # A test cannot delay or refuse the requests of a service worker.
        "service_workers": "block",
    }
    context = browser.new_context(**(chosen | options))
    context.set_default_timeout(TIMEOUT_MS)
    context.add_init_script(_VIOLATION_LISTENER)
    page = context.new_page()
    reader = BrowserUser(context, url, page)
    page.on("pageerror", lambda error: reader.page_errors.append(str(error)))
    try:
        yield reader
        assert reader.page_errors == []
        assert reader.csp_violations() == []
        assert page.evaluate("window.executed") == 0
    finally:
        context.close()
