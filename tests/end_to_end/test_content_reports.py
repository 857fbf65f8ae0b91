"""Tests reports about lost or waiting messages through every process, as started by `./run`."""

import json
import random
from typing import Any

from dev.checkout import ROOT
from tests.support.processes.running_system import RunningSystem, signed_headers
from tests.support.waiting import wait_until

GROUP = "120363041234567890@g.us"


def post(system: RunningSystem, report: str) -> dict[str, int]:
    """Post the report's webhooks twice, in any order, and return how they were counted once they are stored."""
    [path] = (ROOT / "tests" / "payloads" / "reports").glob(f"{report}-*.json")
    steps = json.loads(path.read_text(encoding="utf-8"))["steps"]
    bodies = [json.dumps(step["body"]).encode() for step in steps if step["kind"] == "webhook"] * 2
    random.Random(1).shuffle(bodies)
    before = ledger(system)
    for body in bodies:
        assert system.post_webhook(body, signed_headers(body)) == 200
    wait_until(lambda: ledger(system)["received"] == before["received"] + len(bodies))
    wait_until(lambda: ledger(system)["waiting"] == 0)
    after = ledger(system)
    assert after["exact"]
    return {name: after[name] - before[name] for name in ("stored", "duplicate", "noise", "parked")}


def ledger(system: RunningSystem) -> dict[str, Any]:
    return system.get_data("/api/ledger")


def messages(system: RunningSystem, address: str) -> dict[str, dict[str, Any]]:
    return {one["message_id"]: one for one in system.get_data(f"/api/chats/{address}?limit=100")["messages"]}


def test_r01_orders_products_and_events_are_shown_with_their_words(system: RunningSystem) -> None:
    counted = post(system, "R01")

    shown = [
        (one["message_type"], one["raw_type"], one["content_state"], one["message_text"])
        for _, one in sorted(messages(system, "919811000101").items())
    ]
    assert shown == [
        ("order", "orderMessage", "complete", "Two blue shirts please\nShop"),
        ("unknown", "productMessage", "complete", "Is this one there?\nBlue shirt"),
        ("unknown", "eventMessage", "complete", "Fitting\nSaturday"),
        ("order", "orderMessage", "media_missing", None),
    ]
    assert system.chats_by_address()["919811000101"]["unread_count"] == 4
    assert counted == {"stored": 4, "duplicate": 4, "noise": 0, "parked": 0}


def test_r02_a_message_behind_its_context_is_a_row_that_its_resend_replaces(system: RunningSystem) -> None:
    post(system, "R02")

    shown = messages(system, "919811000102")
    assert (shown["3EB0AA0201"]["message_type"], shown["3EB0AA0201"]["content_state"]) == ("unknown", "media_missing")
    assert shown["3EB0AA0201"]["timestamp"] == 1_734_621_000_000
    assert system.chats_by_address()["919811000102"]["unread_count"] == 2

    hidden = "919811000102@s.whatsapp.net"
    resend = {"event": "message.received", "sessionId": shown["3EB0AA0201"]["session_id"], "from": hidden}
    resend |= {"messageId": "3EB0AA0201", "timestamp": 1734621000, "type": "documentWithCaptionMessage", "text": ""}
    body = json.dumps(resend).encode()
    assert system.post_webhook(body, signed_headers(body)) == 200
    wait_until(lambda: messages(system, "919811000102")["3EB0AA0201"]["message_type"] == "document")
    assert system.chats_by_address()["919811000102"]["unread_count"] == 2


def test_r04_only_what_may_still_come_is_waited_for(system: RunningSystem) -> None:
    post(system, "R04")

    calls, others, notices = (messages(system, address) for address in ("919811000104", "919811000105", GROUP))
    states = {name: (one["message_type"], one["content_state"]) for name, one in (calls | others | notices).items()}
    system_message = ("system", "complete")
    assert states == {
        "3EB0AA0401": system_message,
        "3EB0AA0402": system_message,
        "3EB0AA0403": ("unknown", "media_missing"),
        "3EB0AA0404": system_message,
        "3EB0AA0405": system_message,
        "3EB0AA0406": ("unknown", "undecrypted"),
    }
    group = system.chats_by_address()[GROUP]
    assert (group["unread_count"], group["waiting_since"]) == (0, None)
    waiting = {chat["address"] for chat in system.get_data("/api/chats?waiting=true&limit=500")["contacts"]}
    assert waiting >= {"919811000104", "919811000105"}
