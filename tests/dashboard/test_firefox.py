"""Tests the most common actions of the dashboard in Firefox. The other tests of this folder use Chromium."""

from pathlib import Path

import pytest

from dev.gateway.server import PretendGateway
from tests.support.browser.browser import SCREENSHOTS_FOLDER
from tests.support.browser.firefox import running_firefox
from tests.support.history.history_writer import API_TOKEN, HistoryWriter, message_fact, name_fact
from tests.support.processes.sending_api import ApiStarter


@pytest.mark.long
def test_firefox_reads_answers_and_searches(
    tmp_path: Path, gateway: PretendGateway, lend_api: ApiStarter, history: HistoryWriter
) -> None:
    """The test covers sign-in, list, conversation, sending, the stream of changes, search and the other language."""
    session = gateway.account.session_id
    history.store(name_fact("Asha"), message_fact("Do you have this in stock?"), session=session)
    with running_firefox(tmp_path) as firefox:
        firefox.open(f"{lend_api().url}/#token={API_TOKEN}")
        firefox.expect_texts("a.chat .name", "Asha")
        firefox.click("a.chat")
        firefox.expect_texts("li.in .said", "Do you have this in stock?")
        firefox.type(".composer textarea", "Yes, twelve.\n")
        firefox.expect_texts("li.out .said", "Yes, twelve.")
        history.store(message_fact("Twelve, please", 9000), session=session)
        firefox.expect_texts("li.in .said", "Do you have this in stock?", "Twelve, please")
        firefox.type(".side input[type=search]", "stock")
        firefox.expect_texts("a.chat mark", "stock")
        firefox.click("a.chat:has(mark)")
        firefox.expect_texts("li.found .said", "Do you have this in stock?")
        firefox.save_screenshot(SCREENSHOTS_FOLDER / "firefox.png")
        firefox.click(".side > .bar [popovertarget]")
        firefox.click(".menu select option[value=hi]")

        firefox.expect_texts(".side > .bar h1", "इतिहास")
