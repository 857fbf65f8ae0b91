"""Tests that the shared browser does not outlive the tests that use it. The second test needs the first."""

import asyncio

from playwright.sync_api import Browser


def test_the_browser_runs(browser: Browser) -> None:
    assert browser.is_connected()


def test_the_next_test_can_run_an_event_loop() -> None:
    """Playwright's event loop counts as running in this thread until the browser is closed."""
    asyncio.run(asyncio.sleep(0))
