"""Every payload in tests/payloads has the expected outcome in the file beside it."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from dev.checkout import ROOT
from store.model.facts import Fact
from worker.senders.sak import parser

PAYLOADS = ROOT / "tests" / "payloads"
EXPECTED = sorted(PAYLOADS.glob("*/*.expected.json"))
WIRE = (PAYLOADS / "sak-wire.jsonl").read_text(encoding="utf-8").splitlines()
EXPECTED_WIRE = (PAYLOADS / "sak-wire.expected.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    "expected", EXPECTED, ids=lambda path: str(path.relative_to(PAYLOADS)).removesuffix(".expected.json")
)
def test_a_payload_has_the_outcome_beside_it(expected: Path) -> None:
    """These files document what the parser understands. A parser that differs from them changes histories."""
    body = body_beside(expected).read_bytes()

    assert shown(parser.parse(body)) == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize("number", range(len(WIRE)))
def test_a_captured_webhook_has_its_expected_outcome(number: int) -> None:
    """These webhooks come from the gateway's own code, so they must always be understood."""
    body = json.loads(WIRE[number])["body"].encode()

    assert shown(parser.parse(body)) == json.loads(EXPECTED_WIRE[number])


def test_every_captured_webhook_has_an_expected_outcome() -> None:
    """A line without an outcome would be a webhook that nobody checks."""
    assert len(WIRE) == len(EXPECTED_WIRE) == 18


def test_every_payload_has_an_expected_outcome() -> None:
    """A payload without an expected outcome looks tested but is not."""
    others = {"queue", "reports", "senders"}
    bodies = {path for path in PAYLOADS.glob("*/*.*") if path.parent.name not in others} - set(EXPECTED)

    assert bodies == {body_beside(path) for path in EXPECTED}


def body_beside(expected: Path) -> Path:
    stem = expected.name.removesuffix(".expected.json")
    found = [expected.with_name(stem + suffix) for suffix in (".json", ".body")]
    [body] = [path for path in found if path.exists()]
    return body


def shown(reading: parser.ParseResult) -> dict[str, object]:
    """Return a reading in the form of the expected outcomes, without None and flags that are not set."""
    outcome = reading.outcome
    fields_of_outcome: dict[str, object] = {
        "kind": outcome.kind,
        "reason": outcome.reason,
        "session_id": outcome.session_id,
        "event": outcome.event_type,
        "time": outcome.time,
        "identifies_itself": reading.is_self_identifying,
        "facts": [shown_fact(fact) for fact in outcome.facts],
    }
    return {name: value for name, value in fields_of_outcome.items() if value is not None}


def shown_fact(fact: Fact) -> dict[str, object]:
    values: dict[str, object] = {field.name: getattr(fact, field.name) for field in fields(fact)}
    return {"fact": type(fact).__name__} | {
        name: value for name, value in values.items() if value is not None and value is not False
    }
