"""What one copy of one event tells, and which keys and chats it is about."""

import hashlib
import json
from dataclasses import dataclass
from typing import TypeAlias

from store.history.chats import ChatAddress
from store.history.message_keys import MessageKey
from store.model import timestamps
from store.model.facts import Ack, Delete, Edit, Fact, LidAlias, Message, Reaction, SessionReport

MessageFact: TypeAlias = Message | Ack | Edit | Delete | Reaction
_MESSAGE_FACTS = (Message, Ack, Edit, Delete, Reaction)
"""The same for isinstance, which a union costs several times as much."""


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    digest: bytes
    received_at: int
    """The receipt of this copy, in ms."""
    batch_index: int
    """Its place in its batch."""
    session_id: str
    facts: tuple[Fact, ...]

    def effective_time(self, claimed_at: int | None) -> int:
        """The effective time, in ms, of something that the event dates so."""
        return timestamps.effective(claimed_at, self.received_at)[0]

    def keyed_message_facts(self) -> list[tuple[MessageFact, MessageKey]]:
        """What it tells about messages, each with the name of the key to lock."""
        return [
            (fact, (self.session_id, self._message_id(fact))) for fact in self.facts if isinstance(fact, _MESSAGE_FACTS)
        ]

    def chat_addresses(self) -> set[ChatAddress]:
        """The chats that it tells something about."""
        found: set[str] = set()
        for fact in self.facts:
            if isinstance(fact, LidAlias):
                found |= {fact.lid, fact.phone}
            elif not isinstance(fact, SessionReport) and fact.address is not None:
                found.add(fact.address)
        return {(self.session_id, address) for address in found}

    def _message_id(self, fact: MessageFact) -> str:
        """The fact's id, or for a message without one a digest of what it says, so that its copies are one message.

        Where not even a time is told, two messages may say the same: then the event's identity tells them apart.
        """
        if fact.message_id is not None:
            return fact.message_id
        said = [
            self.session_id,
            fact.direction,
            fact.address,
            fact.time if fact.time is not None else self.digest.hex(),
            fact.type,
            fact.text,
            fact.caption,
            fact.media_url,
        ]
        return "~" + hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


KeyedFact: TypeAlias = tuple[ParsedEvent, MessageFact, MessageKey]
"""What one event says about one message, with the key of that message."""
