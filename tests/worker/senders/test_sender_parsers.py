"""Tests the parser of each kind of sender on its webhooks and on hostile bodies."""

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.checkout import ROOT
from tests.support.attacks import hostile_bodies
from tests.support.senders import sender_payloads
from tests.support.senders.outcome_checks import assert_storable
from tests.support.senders.sender_payloads import SenderPayload
from worker.senders.evolution import parser as evolution
from worker.senders.gowa import parser as gowa
from worker.senders.meta import parser as meta
from worker.senders.openwa import parser as openwa
from worker.senders.reasons import Reason
from worker.senders.results import ParseResult
from worker.senders.waha import parser as waha
from worker.senders.wuzapi import parser as wuzapi

PARSERS: dict[str, Callable[[bytes], ParseResult]] = {
    "evolution": evolution.parse,
    "gowa": gowa.parse,
    "meta": meta.parse,
    "openwa": openwa.parse,
    "waha": waha.parse,
    "wuzapi": wuzapi.parse,
}
SESSIONS = {
    "evolution": "shop",
    "gowa": "919880000001",
    "meta": "105000000000072",
    "openwa": "185ad6dc-6ba1-47a4-ab8f-309d8842f125",
    "waha": "default",
    "wuzapi": "shop",
}
"""The session in the webhooks of each gateway."""
PAYLOADS = [payload for kind in PARSERS for payload in sender_payloads.load(kind)]
SESSION_KEYS = frozenset({"sessionId", "device_id", "session", "instance", "instanceName", "userID"})
MEGABYTE = 1_000_000
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.kind}-{payload.name}")
def test_a_webhook_tells_what_is_expected(payload: SenderPayload) -> None:
    """These requests document what a sender reports. A parser that differs from them changes histories."""
    result = PARSERS[payload.kind](payload.body)

    sender_payloads.assert_told(result.outcome, payload.expect)
    assert_storable(result.outcome)
    assert result.outcome.session_id == SESSIONS[payload.kind]
    assert result.is_self_identifying or payload.expect["kind"] in ("session", "noise")


def test_every_reason_is_shown_by_a_payload() -> None:
    """A reason that no payload has is either unused or untested."""
    files = (ROOT / "tests" / "payloads").glob("*/*.expected.json")
    given = {json.loads(path.read_text(encoding="utf-8")).get("reason") for path in files}
    given |= {PARSERS[payload.kind](payload.body).outcome.reason for payload in PAYLOADS}

    # Too large for a file, or tested in test_gowa.py, test_meta.py and test_dispatch.py.
    others = {Reason.NESTED_TOO_DEEPLY, Reason.OWN_RECEIPT, Reason.GATEWAY_NOTICE, Reason.UNKNOWN_SENDER}
    assert {reason.value for reason in Reason} - given <= others


@pytest.mark.parametrize("kind", PARSERS)
@MANY
@given(data=st.data())
def test_any_variant_of_a_webhook_has_an_outcome_that_can_be_stored(kind: str, data: st.DataObject) -> None:
    """Any field may hold anything, and a body that raises an exception would return forever."""
    body = data.draw(hostile_bodies.variants(_documents(kind)))

    result = PARSERS[kind](body)

    assert_storable(result.outcome)
    assert PARSERS[kind](body) == result


@pytest.mark.parametrize("kind", PARSERS)
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"{", b"[]", b"1", b"{}", b"[" * 10_000, b'{"event":[]}'),
        *(b"&" * MEGABYTE, b"=" * MEGABYTE, b"--\r\n" * MEGABYTE, b"%" * MEGABYTE, b'{"event":"' + b"\\" * MEGABYTE),
    ],
    ids=lambda body: f"{body[:10]!r}-{len(body)}",
)
def test_a_body_of_nonsense_is_parked(kind: str, body: bytes) -> None:
    """Everyone with the secret can send it."""
    outcome = PARSERS[kind](body).outcome

    assert (outcome.kind, outcome.facts) == ("parked", ())


@pytest.mark.parametrize("kind", sorted(PARSERS.keys() - {"meta"}))
def test_an_unknown_event_is_parked_and_a_webhook_without_a_session_too(kind: str) -> None:
    """A parser that learns the event finds it among the parked ones."""
    known = json.loads(next(body for body in _documents(kind) if b'fromMe":true' not in body))
    nameless = {name: value for name, value in known.items() if name not in SESSION_KEYS}
    unknown = known | {"type" if "type" in known else "event": "x.y"}

    reasons = [PARSERS[kind](json.dumps(body).encode()).outcome.reason for body in (unknown, nameless)]

    assert reasons == ["unknown_event", "no_session"]


def _documents(kind: str) -> list[bytes]:
    """Return the bodies that are JSON."""
    return [payload.body for payload in sender_payloads.load(kind) if payload.body.startswith(b"{")]
