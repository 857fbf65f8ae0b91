"""Loads webhooks of every kind of sender with their meaning, and compares parsed events with it.

Each line of a file in tests/payloads/senders/ is an HTTP request with made-up values and its meaning as `expect`.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from dev.checkout import ROOT
from store.model.facts import Ack, Delete, DisplayName, Edit, Fact, Message, Outcome, Reaction, SessionReport

FOLDER = ROOT / "tests" / "payloads" / "senders"
_FACT_TYPES: dict[str, type[Fact]] = {
    "message": Message,
    "ack": Ack,
    "edit": Edit,
    "delete": Delete,
    "reaction": Reaction,
    "session": SessionReport,
}
_FIELDS = {
    "chat": "address",
    "timestamp_ms": "time",
    **{
        name: name
        for name in (
            *("direction", "message_id", "type", "raw_type", "content_state", "text", "caption", "media_url"),
            *("mime_type", "file_name", "reply_to", "sender", "sender_name", "status", "emoji", "state", "phone"),
        )
    },
}
"""The fact's fields for the keys of an expectation. The other keys have no such field."""
_ABSENT_MEANS_NONE = {"text": "caption", "image": "text", "video": "text", "audio": "text", "document": "text"}
"""For each type, the field that is None if it is not expected."""


@dataclass(frozen=True, slots=True)
class SenderPayload:
    kind: str
    """The kind of the sender."""
    name: str
    body: bytes
    expect: dict[str, Any]

    def __str__(self) -> str:
        return self.name


@cache
def load(kind: str) -> list[SenderPayload]:
    """Return the events of one kind of sender with valid signatures, without handshakes and rejected requests."""
    lines = (FOLDER / f"{kind}.jsonl").read_text(encoding="utf-8").splitlines()
    payloads = [
        SenderPayload(kind, line["name"], line["body"].encode(), line["expect"]) for line in map(json.loads, lines)
    ]
    return [payload for payload in payloads if payload.expect["kind"] not in ("handshake", "rejected")]


def assert_told(outcome: Outcome, expect: dict[str, Any]) -> None:
    """Raises AssertionError unless the outcome has exactly the facts of the webhook."""
    if expect["kind"] in ("noise", "ping", "unknown", "poll_vote"):
        kinds = {"unknown": "parked", "poll_vote": "noise"}
        assert (outcome.kind, outcome.facts) == (kinds.get(expect["kind"], expect["kind"]), ())
        return
    assert (outcome.kind, outcome.reason) == ("stored", None)
    expected = expect["facts"] if expect["kind"] == "batch" else [] if expect["kind"] == "names" else [expect]
    told = [fact for fact in outcome.all_facts if isinstance(fact, tuple(_FACT_TYPES.values()))]
    if not any(each["kind"] == "session" for each in expected):
        told = [fact for fact in told if not _is_own_number(fact)]
    assert [_shown(fact, each) for fact, each in zip(told, expected, strict=True)] == [
        _as_shown(each) for each in expected
    ]
    names = {(name["address"], name["name"], name.get("quality", 1)) for name in expect.get("names", ())}
    told_names = {(f.address, f.name, f.quality) for f in outcome.all_facts if isinstance(f, DisplayName)}
    assert told_names >= names
    if "names" in expect or expect.get("direction") == "outgoing":
        assert told_names == names
    said = "\n".join(fact.text or "" for fact in outcome.all_facts if isinstance(fact, Message))
    for word in (expect.get("place", ""), expect.get("poll_name", ""), *expect.get("poll_options", ())):
        assert word in said


def _is_own_number(fact: Fact) -> bool:
    return isinstance(fact, SessionReport) and fact.state is None


def _as_shown(expect: dict[str, Any]) -> dict[str, object]:
    values: dict[str, object] = {field: expect[key] for key, field in _FIELDS.items() if key in expect}
    if expect["kind"] == "message" and (absent := _ABSENT_MEANS_NONE.get(expect["type"])) is not None:
        values.setdefault(absent, None)
    if expect["kind"] == "ack":
        values.setdefault("address", None)
    return {"fact": _FACT_TYPES[expect["kind"]].__name__, **values}


def _shown(fact: Fact, expect: dict[str, Any]) -> dict[str, object]:
    values: dict[str, object] = {field: getattr(fact, field, None) for field in _as_shown(expect) if field != "fact"}
    return {"fact": type(fact).__name__, **values}
