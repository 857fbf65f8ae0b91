"""Tests Meta's requests beyond the recorded ones: several numbers, usernames, groups and history."""

import json
from typing import Any

import pytest

from store.model.facts import Ack, DisplayName, LidAlias, Message, SessionReport
from worker.senders.meta import parser

SHOP, DEPOT = (
    {"display_phone_number": "919880000001", "phone_number_id": "105"},
    {
        "display_phone_number": "+91 98800 00002",
        "phone_number_id": "106",
    },
)
TEXT = {"from": "919811000011", "id": "wamid.A", "timestamp": "1789000010", "type": "text", "text": {"body": "Hi"}}


def change(value: dict[str, Any], field: str = "messages", own: dict[str, str] = SHOP) -> dict[str, object]:
    return {"field": field, "value": {"metadata": own, **value}}


def body(*changes: object, account: str = "104") -> bytes:
    entry = [{"id": account, "changes": list(changes)}]
    return json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()


def test_a_request_tells_of_several_numbers() -> None:
    """Meta sends up to a thousand updates of all numbers of an app in one request."""
    status = {"id": "wamid.B", "status": "read", "timestamp": "1789000020", "recipient_id": "919812000012"}

    outcome = parser.parse(
        body(change({"messages": [TEXT]}), change({"statuses": [status]}, own=DEPOT), change({"messages": [TEXT]}))
    ).outcome

    assert outcome.session_id == "105"
    assert [type(fact) for fact in outcome.facts] == [Message, SessionReport, Message]
    [other] = outcome.others
    assert (other.session_id, other.facts) == (
        "106",
        (
            Ack("wamid.B", "read", "919812000012", 1789000020000),
            SessionReport(None, "919880000002", 1789000020000),
        ),
    )


def test_an_item_that_cannot_be_read_holds_up_no_other() -> None:
    """A request with one invalid item among a thousand must not be parked as a whole."""
    outcome = parser.parse(body(change({"messages": [{"type": "text"}, TEXT, 7]}), {"field": "unheard_of"})).outcome

    assert [fact.message_id for fact in outcome.facts if isinstance(fact, Message)] == ["wamid.A"]


def test_a_person_who_hides_the_phone_has_a_chat_under_meta_s_id() -> None:
    """Requests contain no phone of people with a username."""
    message = {**TEXT, "from": None, "from_user_id": "IN.16480000000013"}
    contact = {"profile": {"name": "Bala"}, "user_id": "IN.16480000000013"}

    facts = parser.parse(body(change({"contacts": [contact], "messages": [message]}))).outcome.facts

    assert [fact.address for fact in facts if isinstance(fact, Message | DisplayName)] == 2 * [
        "IN.16480000000013@bsuid"
    ]


def test_an_item_that_names_a_phone_and_meta_s_id_links_them() -> None:
    """A person who takes a username later keeps one conversation, and is erased under both."""
    message = {**TEXT, "from_user_id": "IN.16480000000011"}
    echo = {**TEXT, "from": "919880000001", "to": "919811000011", "to_user_id": "IN.16480000000011"}
    status = {"id": "wamid.B", "status": "read", "timestamp": "1789000010", "recipient_id": "919811000011"}
    status |= {"recipient_user_id": "IN.16480000000011"}
    changes = (
        change({"messages": [message]}),
        change({"message_echoes": [echo]}, "smb_message_echoes"),
        change({"statuses": [status]}),
    )

    for one in changes:
        facts = parser.parse(body(one)).outcome.facts
        assert [fact for fact in facts if isinstance(fact, LidAlias)] == [
            LidAlias("IN.16480000000011@bsuid", "919811000011", 1789000010000)
        ]


def test_a_group_is_found_in_its_encoded_id() -> None:
    """Meta writes a group's id in base64, without padding."""
    group = {**TEXT, "group_id": "Y2FwaV9ncm91cDoxNzA1NTU1MDEzOToxMjAzNjM0MDQ2OTQyMzM4MjAZD"}

    [message, _] = parser.parse(body(change({"messages": [group]}))).outcome.facts

    assert isinstance(message, Message)
    assert (message.address, message.sender) == ("120363404694233820@g.us", "919811000011")


def test_history_tells_both_directions_and_files_that_come_later() -> None:
    """The chats before the Business app was linked arrive in chunks."""
    own = {**TEXT, "from": "919880000001", "id": "wamid.C", "history_context": {"status": "READ"}}
    file = {**TEXT, "id": "wamid.D", "type": "media_placeholder"}
    thread = {"id": "919811000011", "messages": [TEXT, own, file]}

    outcome = parser.parse(body(change({"history": [{"metadata": {}, "threads": [thread]}]}, "history"))).outcome

    assert all(fact.is_history for fact in outcome.facts if isinstance(fact, Message))
    assert [
        (fact.message_id, fact.address, fact.direction, fact.status, fact.content_state)
        for fact in outcome.facts
        if isinstance(fact, Message)
    ] == [
        ("wamid.A", "919811000011", "incoming", None, "complete"),
        ("wamid.C", "919811000011", "outgoing", "read", "complete"),
        ("wamid.D", "919811000011", "incoming", None, "media_missing"),
    ]


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ([change({"errors": [{"code": 131000}]})], "noise", "gateway_notice"),
        ([change({"history": [{"errors": [{"code": 2593109}]}]}, "history")], "noise", "gateway_notice"),
        ([change({"event": "VERIFIED_ACCOUNT"}, "account_update")], "noise", "gateway_notice"),
        ([change({}, "calls"), change({}, "unheard_of")], "parked", "unknown_event"),
        ([change({"messages": [TEXT]}, own={})], "parked", "no_session"),
        ([change({"statuses": [{"id": "wamid.A", "status": "warned"}]})], "parked", "unknown_status"),
        ([change({"messages": [{**TEXT, "from": "x"}]})], "parked", "bad_address"),
        ([change({})], "parked", "unknown_shape"),
        ([], "parked", "unknown_shape"),
    ],
)
def test_what_is_no_fact_has_a_reason(changes: list[object], kind: str, reason: str) -> None:
    """Noise is understood, and a parked event is retried by a parser that learns it."""
    outcome = parser.parse(body(*changes)).outcome

    assert (outcome.kind, outcome.reason) == (kind, reason)


def test_the_sample_of_meta_s_dashboard_is_a_ping() -> None:
    """Its message is made up and comes from a number that nobody has."""
    assert parser.parse(body(change({"messages": [TEXT]}), account="0")).outcome.kind == "ping"


def test_two_requests_with_equal_bytes_are_one_event_only_with_an_id_or_a_time() -> None:
    """Meta repeats a request for 36 hours."""
    notice = change({"event": "VERIFIED_ACCOUNT"}, "account_update")

    assert [parser.parse(body(each)).is_self_identifying for each in (change({"messages": [TEXT]}), notice)] == [
        True,
        False,
    ]


def test_a_cart_without_words_names_its_products() -> None:
    """Otherwise a reader would see an order without its contents."""
    items = [{"product_retailer_id": name, "quantity": 1} for name in ("kurta-green", "kurta-blue")]
    order = {**TEXT, "type": "order", "order": {"catalog_id": "1", "product_items": items}}

    message = parser.parse(body(change({"messages": [order]}))).outcome.facts[0]

    assert isinstance(message, Message)
    assert (message.type, message.text) == ("order", "kurta-green\nkurta-blue")
