"""Tests that every kind of message that the newest gateway sends is shown correctly."""

import random

from tests.support.processes.running_system import RunningSystem, signed_headers
from tests.support.senders import gateway_wire
from tests.support.senders.gateway_wire import EXPECTED, GUESSES, WIRE
from tests.support.waiting import wait_until


def test_every_kind_of_message_becomes_what_is_expected_of_it(new_system: RunningSystem) -> None:
    """Each kind is sent twice and in any order, as the gateway does after a reconnect."""
    assert [one["kind"] for one in WIRE] == [one["kind"] for one in EXPECTED]
    bodies = [one["body"].encode() for one in WIRE] * 2
    random.Random(15).shuffle(bodies)

    statuses = {new_system.post_webhook(body, signed_headers(body)) for body in bodies}
    wait_until(lambda: gateway_wire.is_stored(new_system, len(bodies)))

    assert statuses == {200}
    gateway_wire.require_expected(new_system)


def test_two_people_whose_phone_the_gateway_guessed_are_not_one(new_system: RunningSystem) -> None:
    """Otherwise, Kamal would read messages from Lata."""
    sent_and_expected = [pair for pair in zip(WIRE, EXPECTED, strict=True) if pair[1]["kind"].startswith(GUESSES)]
    before = new_system.get_data("/api/ledger")["received"]
    for sent, _ in sent_and_expected:
        body = sent["body"].encode()
        assert new_system.post_webhook(body, signed_headers(body)) == 200
    wait_until(lambda: new_system.get_data("/api/ledger")["received"] == before + len(sent_and_expected))
    wait_until(lambda: new_system.get_data("/api/ledger")["waiting"] == 0)

    chats = [expected["chat"] for _, expected in sent_and_expected]
    assert [new_system.message_texts(chat) for chat in chats] == [["I am Kamal"], ["I am Lata"]]
