"""Tests variations of the recorded messages, because other versions omit fields, add fields, and quote numbers."""

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from store.model.facts import Message, Outcome
from tests.support.senders import sender_payloads
from tests.support.senders.sender_payloads import SenderPayload
from worker.senders import dispatch

KINDS = ("evolution", "gowa", "meta", "openwa", "waha", "wuzapi")
PAYLOADS = [
    payload
    for kind in KINDS
    for payload in sender_payloads.load(kind)
    if payload.expect["kind"] in ("message", "ack", "edit", "delete", "reaction") and not payload.body.startswith(b"--")
]
MESSAGES = [payload for payload in PAYLOADS if payload.expect["kind"] == "message"]


def outcome_of(payload: SenderPayload, document: object) -> Outcome:
    return dispatch.parse(f"{payload.kind}:shop", json.dumps(document).encode()).outcome


def document_of(payload: SenderPayload) -> dict[str, Any]:
    """Return the body as an object. For a form, it contains the event and the other fields."""
    if payload.body.startswith(b"{"):
        return json.loads(payload.body)
    fields = {name: values[0] for name, values in parse_qs(payload.body.decode()).items()}
    return {**json.loads(fields.pop("jsonData")), **fields}


def objects_in(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        yield value  # pyright: ignore[reportUnknownVariableType]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        yield from objects_in(inner)


def each_without_a_field(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for at, fields in enumerate(objects_in(document)):
        for key in fields:
            variant = copy.deepcopy(document)
            del list(objects_in(variant))[at][key]
            yield key, variant


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: f"{payload.kind}-{payload.name}")
def test_numbers_in_quotes_and_unknown_fields_change_nothing(payload: SenderPayload) -> None:
    """Gateways in other languages, and newer versions, may send these."""
    document = document_of(payload)
    quoted, extended = copy.deepcopy(document), copy.deepcopy(document)
    for fields in list(objects_in(quoted)):
        numbers = {key: str(value) for key, value in fields.items() if type(value) in (int, float)}
        fields |= numbers  # noqa: PLW2901 - changes the document
    for fields in list(objects_in(extended)):
        fields |= {"unheardOf": {"a": 1}, "unheardOfWord": "b"}

    expected = outcome_of(payload, document)

    assert outcome_of(payload, quoted) == outcome_of(payload, extended) == expected


@pytest.mark.parametrize("payload", MESSAGES, ids=lambda payload: f"{payload.kind}-{payload.name}")
def test_a_message_without_one_of_its_fields_is_a_message_or_parked(payload: SenderPayload) -> None:
    """Noise is never read again, so a message must not become noise if a version omits a field."""
    lost: list[str] = []
    for key, variant in each_without_a_field(document_of(payload)):
        outcome = outcome_of(payload, variant)
        is_told = any(isinstance(fact, Message) for fact in outcome.facts)
        # Without its only text, what remains is the context that accompanies a message.
        if outcome.kind != "parked" and not is_told and outcome.reason != "context_only":
            lost.append(f"{key}: {outcome.kind} {outcome.reason}")

    assert lost == []
