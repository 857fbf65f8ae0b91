"""Tests reports about people and waiting through every process, as started by `./run`, in any order and duplicated."""

import json
import random
from typing import Any

import pytest

from dev.checkout import ROOT
from tests.support.processes.running_system import RunningSystem, signed_headers
from tests.support.waiting import wait_until

REPORTS = {
    path.name[:3]: json.loads(path.read_text(encoding="utf-8"))
    for path in (ROOT / "tests" / "payloads" / "reports").glob("*.json")
}


def post(system: RunningSystem, bodies: list[dict[str, Any]], seed: int) -> None:
    """Deliver each webhook twice, shuffled, and wait until all are stored."""
    doubled = [json.dumps(body).encode() for body in bodies for _ in range(2)]
    random.Random(seed).shuffle(doubled)
    before = system.get_data("/api/ledger")["received"]
    for body in doubled:
        assert system.post_webhook(body, signed_headers(body)) == 200

    def are_stored() -> bool:
        ledger = system.get_data("/api/ledger")
        return ledger["received"] >= before + len(doubled) and ledger["waiting"] == 0

    wait_until(are_stored)


def webhooks(report: str) -> list[dict[str, Any]]:
    return [step["body"] for step in REPORTS[report]["steps"] if step["kind"] == "webhook"]


def chats(system: RunningSystem, query: str = "") -> dict[str, dict[str, Any]]:
    contacts = system.get_data(f"/api/chats?limit=500{query}")["contacts"]
    return {chat["address"]: chat for chat in contacts if chat["session_id"].startswith("11111111")}


def texts(system: RunningSystem, address: str) -> list[str | None]:
    return [message["message_text"] for message in system.get_data(f"/api/chats/{address}")["messages"]]


@pytest.mark.parametrize("seed", [1, 2])
def test_r05_an_admins_delete_counts_in_a_group_only(system: RunningSystem, seed: int) -> None:
    post(system, webhooks("R05"), seed)

    shown = system.get_data("/api/chats/120363041234567890@g.us")["messages"]
    deleted = {
        message["message_id"]: message for message in shown if message["message_id"] in ("3EB0AA0501", "3EB0AA0502")
    }
    assert [(one["deleted"], one["message_text"]) for one in deleted.values()] == [(True, None)] * 2
    assert texts(system, "919811000108") == ["in private"]


def test_r07_hosted_and_agent_addresses_are_one_chat(system: RunningSystem) -> None:
    post(system, webhooks("R07"), 3)

    assert texts(system, "919811000112") == ["one", "two", "three", "four", "five"]
    assert texts(system, "919811000112.0:22@s.whatsapp.net") == ["one", "two", "three", "four", "five"]
    listed = chats(system)
    assert listed["919811000112"]["unread_count"] == 5
    assert "200000000000112@lid" not in listed


def test_r08_nobody_waits_in_a_channel(system: RunningSystem) -> None:
    post(system, webhooks("R08"), 4)

    waiting = chats(system, "&waiting=true")
    assert "919811000113" in waiting
    assert {chat["kind"] for chat in waiting.values()} <= {"phone", "lid", "group"}
    assert chats(system)["120363999999@newsletter"]["waiting_since"] is None


def test_r10_a_status_is_read_on_the_scale_of_its_dialect(system: RunningSystem) -> None:
    seen: list[str] = []
    for body in webhooks("R10")[:3]:
        post(system, [body], 5)
        seen.append(system.get_data("/api/chats/919811000117")["messages"][0]["status"])

    assert seen == ["sent", "delivered", "played"]


def test_r24_who_was_answered_on_the_phone_is_not_still_to_read(system: RunningSystem) -> None:
    post(system, webhooks("R24"), 6)

    chat = chats(system, "&unread=true")["919811000128"]
    assert (chat["unread_count"], chat["unmarked_count"]) == (1, 3)


def test_r25_a_brazilian_mobile_has_one_chat_and_a_landline_its_own(system: RunningSystem) -> None:
    def message(number: int, phone: str, resolved: str) -> dict[str, Any]:
        return webhooks("R07")[0] | {
            "from": f"{phone}@s.whatsapp.net",
            "from_jid": f"{phone}@s.whatsapp.net",
            "messageId": f"3EB0AA250{number}",
            "text": phone,
            "wa_id": resolved,
            "from_number": f"+{resolved}",
            "from_lid": None,
        }

    mobile, landline = "5511900000001", "551130000001"
    bodies = [
        message(1, mobile, mobile),
        message(2, "551100000001", mobile),
        message(3, landline, landline),
        message(4, "5511930000001", "5511930000001"),
    ]
    post(system, bodies, 7)

    assert sorted(filter(None, texts(system, mobile))) == ["551100000001", mobile]
    assert texts(system, "551100000001") == texts(system, mobile)
    assert texts(system, landline) == [landline]


def test_two_people_for_whom_an_old_gateway_guesses_one_phone_stay_apart(system: RunningSystem) -> None:
    bodies = [
        webhooks("R07")[0]
        | {
            "from": "919811000170@s.whatsapp.net",
            "from_jid": "919811000170@s.whatsapp.net",
            "messageId": f"3EB0AA710{number}",
            "text": text,
            "wa_id": "919811000170",
            "from_number": "+919811000170",
            "from_lid": f"20000000000017{number}@lid",
        }
        for number, text in enumerate(("I am Kamal", "I am Lata"))
    ]
    post(system, bodies, 8)

    assert texts(system, "200000000000170@lid") == ["I am Kamal"]
    assert texts(system, "200000000000171@lid") == ["I am Lata"]
    contradictions = [
        one for session in system.get_data("/api/sessions")["sessions"] for one in session["contradictions"]
    ]
    assert "919811000170" in {one["phone"] for one in contradictions}
