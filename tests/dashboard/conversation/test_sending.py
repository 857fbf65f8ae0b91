"""Tests sending from the dashboard through a gateway that behaves like real ones."""

import re

import pytest
from playwright.sync_api import Route, expect

from dev.gateway.misbehaviour import Misbehaviour
from dev.gateway.server import PretendGateway
from tests.dashboard.conftest import write
from tests.support.browser.browser import BrowserUser

SEND = "POST /messages/send"


def test_a_sent_message_is_shown_once_with_its_state(writer: BrowserUser, gateway: PretendGateway) -> None:
    """The copies of the page, the server and the stream are combined in one bubble."""
    page = writer.page
    write(page, "Yes, we do 👍")
    mine = page.locator("li.out")

    expect(mine.get_by_role("img", name=re.compile("^Sent"))).to_be_visible()
    page.wait_for_timeout(500)
    expect(mine).to_have_count(1)
    expect(page.get_by_label("Write a message")).to_have_value("")
    expect(page.locator("a.chat .preview")).to_contain_text("Yes, we do")
    assert [one.text for one in gateway.state.delivered_messages()] == ["Yes, we do 👍"]


def test_a_failed_send_says_so_and_is_sent_again_by_hand_only(writer: BrowserUser, gateway: PretendGateway) -> None:
    gateway.misbehaviours.enqueue(Misbehaviour("failed", SEND))
    page = writer.page
    write(page, "first try")
    expect(page.locator(".state.bad")).to_contain_text("It was not sent.")
    page.wait_for_timeout(500)
    assert gateway.state.delivered_messages() == []
    page.get_by_role("button", name="Send again").click()

    expect(page.locator("li.out").last.get_by_role("img", name=re.compile("^Sent"))).to_be_visible()
    assert [one.text for one in gateway.state.delivered_messages()] == ["first try"]


def test_an_unknown_send_is_told_to_be_unknown_and_never_repeated(writer: BrowserUser, gateway: PretendGateway) -> None:
    """The message was sent, but the response was lost. An automatic retry would send it to the customer twice."""
    gateway.misbehaviours.enqueue(Misbehaviour("reset_after", SEND))
    page = writer.page
    write(page, "maybe")

    expect(page.locator(".state")).to_contain_text("It may have been delivered.")
    page.wait_for_timeout(500)
    assert [one.text for one in gateway.state.delivered_messages()] == ["maybe"]
    page.get_by_role("button", name="Ask the gateway").click()
    expect(page.locator(".toast")).to_be_visible()
    assert len(gateway.state.delivered_messages()) == 1
    page.reload()
    expect(page.locator("li.out")).to_have_count(1)


def test_a_queued_send_is_told_to_be_queued(writer: BrowserUser, gateway: PretendGateway) -> None:
    gateway.state.connected = False
    write(writer.page, "later")

    expect(writer.page.locator(".state")).to_contain_text("does not report back")
    expect(writer.page.get_by_role("img", name="Queued by the gateway")).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize("arrived", [True, False])
def test_a_line_that_breaks_neither_sends_twice_nor_loses(
    writer: BrowserUser, gateway: PretendGateway, *, arrived: bool
) -> None:
    """Whether the request arrived or not, the retry has the same key, so the message is sent once."""
    page = writer.page
    keys: list[str | None] = []

    def lose(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if arrived:
            route.fetch()
        route.abort()

    page.route("**/api/send", lose, times=1)
    write(page, "once only")
    if not arrived:
        expect(page.locator(".state")).to_contain_text("Trying again cannot send it twice.")
        page.get_by_role("button", name="Try again").click()

    expect(page.locator("li.out").get_by_role("img", name=re.compile("^Sent"))).to_be_visible()
    expect(page.locator("li.out")).to_have_count(1)
    assert keys[0]
    assert len(gateway.state.delivered_messages()) == 1


@pytest.mark.long
def test_a_file_goes_with_its_caption(writer: BrowserUser, gateway: PretendGateway) -> None:
    page = writer.page
    page.set_input_files(
        "input[type=file]", {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4\n%%EOF"}
    )
    expect(page.locator(".file")).to_contain_text("bill.pdf")
    page.get_by_label("Write a message").fill("Your bill")
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.locator("li.out .media")).to_contain_text("bill.pdf")
    expect(page.locator("li.out .said")).to_have_text("Your bill")
    expect(page.locator("li.out").get_by_role("img", name=re.compile("^Sent"))).to_be_visible()
    sent = gateway.state.delivered_messages()[0].attachment
    assert sent
    assert (sent.name, sent.size) == ("bill.pdf", 14)


def test_an_impossible_send_is_refused_with_a_sentence(writer: BrowserUser) -> None:
    """A file is not a picture. The server checks the content and returns an error."""
    page = writer.page
    page.set_input_files("input[type=file]", {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": b"not an image"})
    page.get_by_role("button", name="Send", exact=True).click()

    expect(page.locator(".state.bad")).to_contain_text("It was not sent.")
    expect(page.locator(".state.bad bdi")).not_to_be_empty()
