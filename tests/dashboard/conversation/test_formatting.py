"""Tests the display of a message's text: formatted, with links that are safe to follow, folded if it is long."""

import dataclasses

from playwright.sync_api import expect

from store.model.facts import Delete, Forwarding
from tests.support.browser.browser import BrowserUser
from tests.support.browser.dashboard_actions import open_first_chat
from tests.support.history.history_writer import BASE_TIME, SENDER_PHONE, HistoryWriter, message_fact

FORMATTED = {
    "*bold* _italic_ ~struck~ `a*b*c`": "<strong>bold</strong> <em>italic</em> <s>struck</s> <code>a*b*c</code>",
    "*_both_* and **two**": "<strong><em>both</em></strong> and *<strong>two</strong>*",
    "2*3*4 snake_case_name * no * _no": "2*3*4 snake_case_name * no * _no",
    "*नमस्ते* दो_शब्द_साथ": "<strong>नमस्ते</strong> दो_शब्द_साथ",
    "*one\ntwo*": "*one\ntwo*",
    "run\n```\na = *1*\nb = 2\n```\nthen": "run\n<code>a = *1*\nb = 2</code>\nthen",
    "> said *so*\n> twice\nanswer\n\nend": ("<blockquote>said <strong>so</strong>\ntwice</blockquote>answer\n\nend"),
    "to buy:\n- rice\n* salt\n1. wash\n2. cook": (
        'to buy:<ul><li>rice</li><li>salt</li></ul><ol start="1"><li>wash</li><li>cook</li></ol>'
    ),
    "*<b>not markup</b>*": "<strong>&lt;b&gt;not markup&lt;/b&gt;</strong>",
}
LINKED = {
    "see www.example.org/a_b_c_d, please": "https://www.example.org/a_b_c_d",
    "*https://example.org/x*": "https://example.org/x",
    "write to asha.rao+shop@example.org.": "mailto:asha.rao+shop@example.org",
    "mailto:asha@example.org?subject=order": "mailto:asha@example.org?subject=order",
    "call +91 98110 00001!": "tel:+919811000001",
    "tel:+91-98110-00001": "tel:+91-98110-00001",
}
NOT_LINKED = (
    "tel:*%2306%23",
    "tel:**21*00%23",
    "javascript:alert(1)",
    "https://shop@evil.example/",
    "file:///etc/passwd",
    "1+2345678901",
)


def test_a_forwarded_message_is_marked(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """A forwarded receipt proves less than one that the customer wrote. A deleted message shows nothing."""
    texts: tuple[Forwarding | None, ...] = (None, "forwarded", "many_times", "forwarded")
    messages = [
        dataclasses.replace(message_fact(f"text {n}", n, id=f"m{n}"), forwarded=one) for n, one in enumerate(texts)
    ]
    history.store(*messages, Delete("m3", SENDER_PHONE, "incoming", None, BASE_TIME + 10))
    open_first_chat(browser_user)
    page = browser_user.page
    rows = page.locator("li[data-key]")

    expect(rows).to_have_count(4)
    expect(rows.nth(0)).not_to_contain_text("Forwarded")
    expect(rows.nth(1).get_by_text("Forwarded", exact=True)).to_be_visible()
    expect(rows.nth(2).get_by_text("Forwarded many times", exact=True)).to_be_visible()
    expect(rows.nth(3)).not_to_contain_text("Forwarded")
    browser_user.save_screenshot("forwarded")


def test_a_text_is_formatted_and_linked_as_whatsapp_does(browser_user: BrowserUser, history: HistoryWriter) -> None:
    """Any text creates only these few elements, and no attribute except a safe address."""
    long_text = "\n".join(f"line {n}" for n in range(40)) + " https://example.org/end"
    texts = [*FORMATTED, *LINKED, *NOT_LINKED, "safe\u202egro.live@moc.elpmaxe https://exam\u202eple.org", long_text]
    history.store(*(message_fact(text, n, id=f"m{n}") for n, text in enumerate(texts)))
    open_first_chat(browser_user)
    page = browser_user.page
    shown = page.evaluate("[...document.querySelectorAll('.said')].map((one) => one.innerHTML)")
    links = page.evaluate(
        "[...document.querySelectorAll('.said')].map((one) => [...one.querySelectorAll('a')].map((a) => a.href))"
    )

    assert dict(zip(FORMATTED, shown, strict=False)) == FORMATTED
    linked = links[len(FORMATTED) : len(FORMATTED) + len(LINKED)]
    assert dict(zip(LINKED, linked, strict=True)) == {text: [href] for text, href in LINKED.items()}
    assert links[len(FORMATTED) + len(LINKED) : -2] == [[]] * len(NOT_LINKED)
    assert "%E2%80%AE" not in str(links)
    browser_user.save_screenshot("formatting-end")
    last = page.locator("li[data-key]").last
    height = last.locator(".said").bounding_box()
    last.get_by_role("button", name="Read more").click()
    unfolded = last.locator(".said").bounding_box()
    assert height
    assert unfolded
    assert unfolded["height"] > height["height"] * 2
    expect(page.get_by_role("button", name="Read more")).to_have_count(0)
