"""Defines a parsed event: the facts of one copy of an event about one session, with their message keys and chats."""

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from store.history.sessions.accounts import Accounts
from store.model import timestamps
from store.model.facts import Ack, Delete, Edit, Fact, LidAlias, Message, Outcome, Reaction, SessionReport
from store.model.keys import ChatAddress, MessageKey

MessageFact: TypeAlias = Message | Ack | Edit | Delete | Reaction
MESSAGE_FACTS = (Message, Ack, Edit, Delete, Reaction)
"""The types of MessageFact as a tuple, for which isinstance is several times as fast."""


class ParsedEvent(NamedTuple):
    """The facts of one copy of an event about one session.

    It is a tuple for speed, because there is one for every event.
    """

    digest: bytes
    received_at: int
    """The time of receipt of this copy in ms."""
    order: int
    """The position among events with the same time of receipt."""
    session_id: str
    facts: tuple[Fact, ...]

    def effective_time(self, claimed_at: int | None) -> int:
        """Return the effective time in ms of a fact that claims this time."""
        return timestamps.effective(claimed_at, self.received_at)[0]

    def keyed_message_facts(self, accounts: Accounts) -> list[tuple[MessageFact, MessageKey]]:
        """Return the facts about messages, each with the key of its message."""
        primary_id = accounts.primary_of(self.session_id)
        return [(fact, (primary_id, self._message_id(fact))) for fact in self.facts if isinstance(fact, MESSAGE_FACTS)]

    def _message_id(self, fact: MessageFact) -> str:
        """Return the id of the fact's message, or a digest of its content if it has no id, to recognise its copies.

        If it also has no time, two messages may have the same content; then the digest of the event distinguishes them.
        """
        if fact.message_id is not None:
            return fact.message_id
        content = [
            self.session_id,
            fact.direction,
            fact.address,
            fact.time if fact.time is not None else self.digest.hex(),
            fact.type,
            fact.text,
            fact.caption,
            fact.media_url,
        ]
        return "~" + hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def of_outcome(outcome: Outcome, digest: bytes, received_at: int, order: int) -> list[ParsedEvent]:
    """Return the parsed events of one copy of an event, one for each session that its facts are about."""
    return [
        ParsedEvent(digest, received_at, order, each.session_id, each.facts)
        for each in outcome.by_session
        if each.facts
    ]


def chat_addresses(events: Iterable[ParsedEvent]) -> set[ChatAddress]:
    """Return the chats of the events' facts, and the authors of updates, whose other addresses also count."""
    found: set[ChatAddress] = set()
    for event in events:
        for fact in event.facts:
            if isinstance(fact, LidAlias):
                found |= {(event.session_id, fact.lid), (event.session_id, fact.phone)}
            elif not isinstance(fact, SessionReport) and fact.address is not None:
                found.add((event.session_id, fact.address))
                if isinstance(fact, (Edit, Delete, Reaction)) and fact.sender is not None:
                    found.add((event.session_id, fact.sender))
    return found


def alias_addresses(events: Iterable[ParsedEvent]) -> set[ChatAddress]:
    """Return the aliases that the events map to phones, and these phones."""
    return {
        (event.session_id, address)
        for event in events
        for fact in event.facts
        if isinstance(fact, LidAlias)
        for address in (fact.lid, fact.phone)
    }


KeyedFact: TypeAlias = tuple[ParsedEvent, MessageFact, MessageKey]
"""(event, fact, key of the fact's message)"""
