"""Tests that the demo's second gateway sends the same events in WAHA's format, and always loses the same messages."""

import time

from dev.demo.chat_generator import ChatGenerator
from dev.demo.second_gateway import SecondGateway
from dev.gateway import delivery
from environment.sender_kinds import KINDS
from ingest.signing.signature import Verifier
from store.model.facts import Message
from tests.support.servers.webhook_receiver import running_webhook_receiver
from worker.senders.sak import parser as sak
from worker.senders.waha import parser as waha

SECRET = "made-up-for-tests-0123456789"


def test_the_second_gateway_reports_the_same_messages_and_loses_some() -> None:
    with running_webhook_receiver() as receiver:
        gateway = SecondGateway(receiver.url, SECRET, "919800000000")
        events = ChatGenerator("seed", "session").past_events(1_790_000_000)
        verifier = Verifier(KINDS["waha"], [SECRET.encode()])
        for event in events + events:
            gateway.report(event)
    posted = [receiver.events.get_nowait() for _ in range(receiver.events.qsize())]

    known = {
        (fact.message_id, fact.address, fact.text, fact.time)
        for event in events
        for fact in sak.parse(delivery.encode(event)).outcome.facts
        if isinstance(fact, Message) and fact.text
    }
    told = [
        (fact.message_id, fact.address, fact.text, fact.time)
        for _, body in posted
        for fact in waha.parse(body).outcome.facts
        if isinstance(fact, Message)
    ]
    half = len(posted) // 2
    assert all(
        verifier.verify(body, {name.lower().encode(): value.encode() for name, value in headers.items()}, time.time())
        for headers, body in posted
    )
    assert told[:half] == told[half:]
    assert set(told) < known
    assert len(set(told)) > len(known) / 2
