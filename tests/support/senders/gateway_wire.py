"""Compares the requests that the current gateway sent with what readers of the chats see of them."""

import json
from collections import Counter, defaultdict
from typing import Any
from urllib.parse import quote

from dev.checkout import ROOT
from tests.support.processes.running_system import RunningSystem

PAYLOADS = ROOT / "tests" / "payloads"
WIRE = [json.loads(line) for line in (PAYLOADS / "sak-wire-2.jsonl").read_text().split("\n") if line]
EXPECTED = [json.loads(line) for line in (PAYLOADS / "sak-wire-2.expected.jsonl").read_text().split("\n") if line]
GUESSES = "gateway of an older version"
"""The prefix of kinds in which the gateway names the phone that it last wrote to as the sender."""
SHOWN = ("message_type", "raw_type", "content_state", "message_text", "unread")


def require_expected(system: RunningSystem) -> None:
    """Fail unless every kind is shown, set aside and counted as expected."""
    outcomes = list(zip(WIRE, EXPECTED, strict=True))
    differing = [
        difference
        for sent, expected in outcomes
        if expected["becomes"] == "message" and not expected["kind"].startswith(GUESSES)
        for difference in differences(system, json.loads(sent["body"]), expected)
    ]
    assert differing == []
    assert set_aside(system) == Counter(
        (expected["becomes"], expected["reason"]) for _, expected in outcomes if "reason" in expected
    )
    expected_counts = expected_unread_counts(outcomes)
    assert {chat: unread_counts(system).get(chat) for chat in expected_counts} == expected_counts


def is_stored(system: RunningSystem, count: int) -> bool:
    """Return whether all events are stored and the sums of the ledger agree."""
    ledger = system.get_data("/api/ledger")
    return ledger["exact"] and ledger["received"] == count and ledger["waiting"] == 0


def differences(system: RunningSystem, body: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    chat = system.get_data(f"/api/chats/{quote(expected['chat'])}?limit=500")
    found = [one for one in chat["messages"] if is_of(one, body)]
    if len(found) != 1:
        return [f"{expected['kind']}: {len(found)} messages"]
    shown = {name: found[0][name] for name in SHOWN} | {"text_length": len(found[0]["message_text"] or "")}
    if "chat_name" in expected:
        shown["chat_name"] = system.chats_by_address()[expected["chat"]]["name"]
    return [
        f"{expected['kind']}: {name} is {shown[name]!r}, not {value!r}"
        for name, value in expected.items()
        if name in shown and shown[name] != value
    ]


def is_of(message: dict[str, Any], body: dict[str, Any]) -> bool:
    """Return whether the message is that of this body, which may have no id."""
    if "messageId" in body:
        return message["message_id"] == body["messageId"]
    return message["message_text"] == body["text"]


def set_aside(system: RunningSystem) -> Counter[tuple[str, str]]:
    """Return the number of parked events and of noise by reason. The counts and the lists must agree."""
    counted = Counter(
        {(one["kind"], one["reason"]): one["count"] for one in system.get_data("/api/parked/reasons")["reasons"]}
    )
    listed = Counter(
        (kind, one["reason"])
        for kind in ("parked", "noise")
        for one in system.get_data(f"/api/parked?kind={kind}&limit=500")["parked"]
    )
    assert counted == listed
    return counted


def unread_counts(system: RunningSystem) -> dict[str, int]:
    return {address: chat["unread_count"] for address, chat in system.chats_by_address().items()}


def expected_unread_counts(outcomes: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, int]:
    unread: defaultdict[str, set[str]] = defaultdict(set)
    for sent, expected in outcomes:
        if expected["becomes"] == "message" and not expected["kind"].startswith(GUESSES):
            chat = unread[expected["chat"]]
            if expected["unread"]:
                chat.add(json.loads(sent["body"]).get("messageId", "without an id"))
    return {chat: len(ids) for chat, ids in unread.items()}
