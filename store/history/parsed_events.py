"""The facts of one copy of an event about one session, with the message keys and chats that they concern."""

import hashlib
import json
from dataclasses import dataclass
from typing import TypeAlias

from store.history.accounts import Accounts
from store.history.chats import ChatAddress
from store.history.message_keys import MessageKey
from store.model import timestamps
from store.model.facts import Ack, Delete, Edit, Fact, LidAlias, Message, Outcome, Reaction, SessionReport

MessageFact: TypeAlias = Message | Ack | Edit | Delete | Reaction
MESSAGE_FACTS = (Message, Ack, Edit, Delete, Reaction)
"""MessageFact as a tuple, with which isinstance is several times as fast."""


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    digest: bytes
    received_at: int
    """The receipt of this copy, in ms."""
    order: int
    """Its place among events with the same receipt."""
    session_id: str
    facts: tuple[Fact, ...]

    def effective_time(self, claimed_at: int | None) -> int:
        """The effective time, in ms, of a fact that claims this one."""
        return timestamps.effective(claimed_at, self.received_at)[0]

    def keyed_message_facts(self, accounts: Accounts) -> list[tuple[MessageFact, MessageKey]]:
        """The facts about messages, each with its message key."""
        primary_id = accounts.primary_of(self.session_id)
        return [(fact, (primary_id, self._message_id(fact))) for fact in self.facts if isinstance(fact, MESSAGE_FACTS)]

    def alias_addresses(self) -> set[ChatAddress]:
        """Both sides of its evidence on aliases."""
        return {
            (self.session_id, address)
            for fact in self.facts
            if isinstance(fact, LidAlias)
            for address in (fact.lid, fact.phone)
        }

    def chat_addresses(self) -> set[ChatAddress]:
        """The chats that its facts concern, and the authors of its updates, whose other addresses count as well."""
        addresses: set[str] = set()
        for fact in self.facts:
            if isinstance(fact, LidAlias):
                addresses |= {fact.lid, fact.phone}
            elif not isinstance(fact, SessionReport) and fact.address is not None:
                addresses.add(fact.address)
                if isinstance(fact, (Edit, Delete, Reaction)) and fact.sender is not None:
                    addresses.add(fact.sender)
        return {(self.session_id, address) for address in addresses}

    def _message_id(self, fact: MessageFact) -> str:
        """The id of the fact's message; without one, a digest of its content, so that its copies are one message.

        Without a time, two messages may have the same content: then the event's digest distinguishes them.
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
    """The parsed events of one copy of an event: one for each session of which it has facts."""
    return [
        ParsedEvent(digest, received_at, order, each.session_id, each.facts)
        for each in outcome.by_session
        if each.facts
    ]


KeyedFact: TypeAlias = tuple[ParsedEvent, MessageFact, MessageKey]
"""(event, fact, key of the message that the fact is about)"""
